//! The nginx configuration that ingress-nginx's template would write, as far as paths go.
//!
//! Source: `updateServerLocations` (controller/location.go), `buildLocation` and
//! `buildProxyPass` (controller/template/template.go), ingress-nginx dbb11b92d.

use super::generate::{Host, Ingress, Scenario};
use std::fmt::Write;

/// One location block before it is written.
struct Location<'s> {
    ingress: &'s Ingress,
    path: String,
    path_type: &'static str,
    service: &'s str,
}

/// The whole file: a front server for each host, and a back server that says what it was asked.
/// `{dir}` stands for the folder that [`super::server::Nginx`] chooses.
pub(super) fn nginx_conf(scenario: &Scenario) -> String {
    let mut conf = String::from(PRELUDE);
    for host in &scenario.hosts {
        write!(
            conf,
            "server {{\n listen unix:{{dir}}/front.sock;\n server_name {};\n",
            host.name
        )
        .unwrap();
        write_locations(&mut conf, host);
        conf.push_str("}\n");
    }
    conf.push_str("}\n");
    conf
}

const PRELUDE: &str = r#"
daemon off; master_process off; pid {dir}/pid; error_log {dir}/error.log warn;
events { worker_connections 256; }
http {
 access_log off; keepalive_requests 1000000; port_in_redirect off; server_name_in_redirect off;
 large_client_header_buffers 4 32k; server_names_hash_bucket_size 128;
 client_body_temp_path {dir}/t1; proxy_temp_path {dir}/t2; fastcgi_temp_path {dir}/t3;
 uwsgi_temp_path {dir}/t4; scgi_temp_path {dir}/t5;
 upstream back { server unix:{dir}/back.sock; keepalive 4; }
 proxy_http_version 1.1; proxy_set_header Connection ""; proxy_redirect off;
 default_type text/plain;
 server { listen unix:{dir}/back.sock; return 200 "$http_x_service $request_uri"; }
"#;

fn write_locations(conf: &mut String, host: &Host) {
    let locations = sorted(host);
    let regex = locations
        .iter()
        .any(|l| l.ingress.use_regex || rewrites(l.ingress, &l.path));
    for location in expanded(locations) {
        if let Some(root) = location.ingress.app_root {
            write!(
                conf,
                " if ($uri = /) {{ return 302 $scheme://$http_host{root}; }}"
            )
            .unwrap();
        }
        let path = location.path.replace('\\', "\\\\").replace('"', "\\\"");
        match (regex, location.path_type) {
            (true, _) => write!(conf, " location ~* \"^{path}\" {{"),
            (false, "Exact") => write!(conf, " location = \"{path}\" {{"),
            (false, _) => write!(conf, " location \"{path}\" {{"),
        }
        .unwrap();
        if let Some((url, code)) = location.ingress.redirect {
            write!(conf, " return {code} {url};").unwrap();
        }
        if let Some(target) = &location.ingress.rewrite_target
            && *target != location.path
        {
            write!(conf, " rewrite \"(?i){path}\" {target} break;").unwrap();
        }
        if location.service.is_empty() {
            conf.push_str(" return 404; }\n");
        } else {
            let service = location.service;
            writeln!(
                conf,
                " proxy_set_header X-Service {service}; proxy_pass http://back; }}"
            )
            .unwrap();
        }
    }
}

fn rewrites(ingress: &Ingress, path: &str) -> bool {
    ingress
        .rewrite_target
        .as_ref()
        .is_some_and(|target| target != path)
}

/// Longest path first, then lexicographically descending.
fn sorted(host: &Host) -> Vec<Location<'_>> {
    let mut locations: Vec<Location> = host
        .ingresses
        .iter()
        .flat_map(|ingress| ingress.paths.iter().map(move |path| (ingress, path)))
        .map(|(ingress, path)| Location {
            ingress,
            path: path.path.clone(),
            path_type: if path.path_type == "Exact" {
                "Exact"
            } else {
                "Prefix"
            },
            service: &path.service,
        })
        .collect();
    // Unless an Ingress has `/` as a Prefix, there is one with the annotations of the host's
    // first Ingress and no Service; it is older than all others, so it comes before its equals.
    if !locations
        .iter()
        .any(|l| l.path == "/" && l.path_type == "Prefix")
    {
        let path = "/".to_owned();
        let ingress = &host.ingresses[0];
        locations.insert(
            0,
            Location {
                ingress,
                path,
                path_type: "Prefix",
                service: "",
            },
        );
    }
    locations.sort_by(|a, b| {
        b.path
            .len()
            .cmp(&a.path.len())
            .then_with(|| b.path.cmp(&a.path))
    });
    locations
}

/// A Prefix path that is matched literally gets a block for its exact form as well.
fn expanded(locations: Vec<Location<'_>>) -> Vec<Location<'_>> {
    let mut blocks = Vec::new();
    for location in locations {
        let literal = !rewrites(location.ingress, &location.path) && !location.ingress.use_regex;
        if location.path == "/" || location.path_type != "Prefix" || !literal {
            blocks.push(location);
            continue;
        }
        let exact = Location {
            path_type: "Exact",
            path: location.path.clone(),
            ..location
        };
        let slashed = format!("{}/", location.path.trim_end_matches('/'));
        blocks.push(Location {
            path: slashed,
            path_type: "Prefix",
            ..exact
        });
        blocks.push(exact);
    }
    blocks
}
