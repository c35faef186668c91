//! The admin, from which limpet learns the endpoints, is away, slow, or talks nonsense.

use super::{CLUSTER, HOST, PERSISTENT, Shop};
use limpet_envoy::render::envoy::{endpoint_file, write_in_place};
use limpet_tests::crowd::{Crowd, Moves};
use limpet_tests::eds::{self, Lb};
use limpet_tests::pod::{Manner, Pod, Script};
use limpet_tests::rendered::{Rendered, Setup};
use limpet_tests::wait;
use serde_json::{Value, json};
use std::path::Path;
use std::time::Instant;

const CLIENTS: usize = 40;
/// With a pause that does not grow these would be more polls than may be.
const MANY: u64 = 6;
pub(super) const ADMIN: &str = "prometheus_stats";

/// The cluster toward the admin reads its endpoint from a file too, so that it can be sent
/// elsewhere.
pub(super) fn admin_by_eds(value: &mut Value) {
    let Some(clusters) = value.pointer_mut("/static_resources/clusters") else {
        return;
    };
    let clusters = clusters.as_array_mut().unwrap();
    let mut source = clusters[0]["eds_cluster_config"].clone();
    let path = source.pointer_mut("/eds_config/path_config_source/path");
    let path = path.expect("a file of endpoints");
    let folder = Path::new(path.as_str().unwrap()).parent().unwrap();
    let file = endpoint_file(folder, ADMIN);
    *path = file.to_str().unwrap().into();
    let admin = clusters.iter_mut().find(|c| c["name"] == ADMIN).unwrap();
    let admin = admin.as_object_mut().unwrap();
    let mut assignment = admin.remove("load_assignment").unwrap();
    assignment["@type"] =
        "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment".into();
    let resource = json!({ "version_info": "0", "resources": [assignment] });
    write_in_place(&file, &resource.to_string()).unwrap();
    admin.insert("type".into(), "EDS".into());
    admin.insert("eds_cluster_config".into(), source);
}

struct Case {
    shop: Shop,
    envoy: Rendered,
    crowd: Crowd,
}

impl Case {
    fn start() -> Self {
        let shop = Shop::new(3, PERSISTENT);
        let setup = Setup {
            workers: 2,
            edit: admin_by_eds,
            ..Setup::default()
        };
        let envoy = shop.open(3, &setup);
        let mut crowd = Crowd::new(CLIENTS, envoy.http(), HOST, "/");
        assert_eq!(crowd.reload().cookies, CLIENTS);
        envoy.wait_until_discovered();
        Self { shop, envoy, crowd }
    }

    fn count(&self, name: &str) -> u64 {
        self.envoy.envoy.stat(&format!("wasmcustom.limpet_{name}"))
    }

    fn send_admin_to(&self, address: &str) {
        let admin = Lb {
            address: address.to_owned(),
            health: "HEALTHY",
        };
        self.envoy.set_endpoints(ADMIN, &[admin]);
    }

    /// With the admin at `address`: the sessions stay, one line says so, and polls are rare, which shows
    /// after so many `failed` ones.
    fn goes_on_without(&mut self, address: &str, failed: u64) {
        let stayed = Moves {
            stayed: CLIENTS,
            ..Moves::default()
        };
        let lines = || self.envoy.envoy.log().matches("does not answer").count();
        // On a busy machine the admin may have been slow before it is meant to be.
        let (failures, lines_before) = (self.count("discovery_failures"), lines());
        let (polls, since) = (self.count("discovery_polls"), Instant::now());
        self.send_admin_to(address);
        wait::until("a poll has failed", || {
            self.count("discovery_failures") > failures
        });
        let intervals = || since.elapsed().as_millis() / u128::from(Setup::default().interval_ms);
        let until_then = intervals();
        assert_eq!(self.crowd.reload(), stayed);
        wait::until("some polls have failed", || {
            self.count("discovery_failures") >= failures + failed
        });
        assert_eq!(self.crowd.reload(), stayed);
        let polls = u128::from(self.count("discovery_polls") - polls);
        // Before the first failure one each interval; then the pause doubles with each.
        let most = until_then + 1 + u128::from((intervals() + 1).ilog2()) + 1;
        assert!(polls <= most, "{polls} polls in {:?}", since.elapsed());
        assert_eq!(lines(), lines_before + 1, "{}", self.envoy.envoy.log());
    }

    /// With the admin back, what has changed meanwhile is learned.
    fn learns_again(mut self) {
        let left = &self.shop.pods[..2];
        let gone = self.shop.pods[2].endpoint();
        let orphans = (0..CLIENTS).filter(|n| self.crowd.home(*n) == Some(&gone));
        let orphans = orphans.count();
        assert!(orphans > 0);
        self.send_admin_to("admin.sock");
        self.envoy.set_endpoints(CLUSTER, &eds::healthy(left));
        // Each worker learns it at its next tick: until then its orphans are served without a new cookie.
        let (mut cookies, mut lost) = (0, 0);
        wait::until("the orphans have new cookies", || {
            let moves = self.crowd.reload();
            cookies += moves.cookies;
            lost += moves.lost;
            cookies >= orphans || lost > 0
        });
        assert_eq!((lost, cookies), (0, orphans));
        self.envoy.wait_until_discovered();
        assert_eq!(self.crowd.reload().stayed, CLIENTS);
    }
}

#[test]
fn an_admin_that_is_away_costs_no_session() {
    let mut nobody = Pod::start();
    nobody.stop();
    let mut case = Case::start();
    case.goes_on_without(&nobody.endpoint(), MANY);
    case.learns_again();
}

#[test]
fn an_admin_that_is_slow_costs_no_session() {
    let slow = Pod::start();
    slow.behave(Script {
        manner: Manner::Hold,
        ..Script::default()
    });
    let mut case = Case::start();
    case.goes_on_without(&slow.endpoint(), 3); // each takes five seconds
    case.learns_again();
}

#[test]
fn an_admin_that_talks_nonsense_costs_no_session() {
    let nonsense = Pod::start();
    let mut case = Case::start();
    case.goes_on_without(&nonsense.endpoint(), MANY);
    case.learns_again();
}
