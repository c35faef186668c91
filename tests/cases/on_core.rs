//! The native core.

use super::table::Table;
use super::target::{Asked, Seen, Target};
use limpet_envoy::plugin_config::{EndpointSource, Options, Report, plugin_config};
use limpet_tests::http::bytes;
use limpet_tests::native::{Head, Native};

pub(super) struct Core(Native);

pub(super) fn start(table: &Table) -> Core {
    let (clusters, _) = limpet_envoy::clusters::clusters(&table.manifests, &table.endpoints());
    let options = Options {
        endpoints: EndpointSource::Static,
        report: Report::Why,
        strict: false,
        unmatched_is_not_found: true,
        one_virtual_host: true,
    };
    Core(Native::new(
        &plugin_config(&table.manifests, &clusters, options),
        1_732_345_678,
    ))
}

impl Target for Core {
    fn ask(&self, request: &Asked) -> Result<Seen, String> {
        let pseudo = [
            (":authority", &request.host),
            (":path", &request.target),
            (":method", &request.method),
            (":scheme", &request.scheme),
        ];
        let mut headers: Vec<_> = pseudo
            .map(|(name, value)| (name.to_owned(), bytes(value)))
            .into();
        let fields = request.headers.iter();
        headers.extend(fields.map(|(name, value)| (name.to_ascii_lowercase(), bytes(value))));
        let (answer, record) = self.0.ask(
            &Head {
                scheme: request.scheme.clone(),
                headers,
            },
            &[],
        );
        let state = record["affinity"]["state"].as_str().map(str::to_owned);
        Ok(Seen { answer, state })
    }
}
