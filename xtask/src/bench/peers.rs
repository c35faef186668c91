//! nginx and HAProxy from Debian, as one would set them up for the bench's Ingress by hand: a session by the cookie
//! `route`, the path rewritten by a regular expression, connections to the pods kept. Each is one process.

use super::bootstrap::session_of;
use super::running::nginx_conf;
use crate::{apt, nginx};
use anyhow::Result;
use std::fs;
use std::path::Path;
use std::process::Command;

/// An nginx on `port` before `pods`, with its files beneath `folder`; `counted` makes a command of a program.
///
/// # Errors
/// When it cannot be fetched.
pub(super) fn nginx(
    counted: impl FnOnce(&Path) -> Command,
    folder: &Path,
    port: u16,
    pods: &[u16; 2],
) -> Result<Command> {
    let folder = folder.join("nginx");
    fs::create_dir_all(&folder)?;
    let conf = folder.join("nginx.conf");
    fs::write(&conf, nginx_conf(&folder, &nginx_servers(port, pods)))?;
    let mut command = counted(&nginx::nginx()?);
    command.arg("-p").arg(folder).arg("-c").arg(conf);
    Ok(command)
}

/// The same for HAProxy.
///
/// # Errors
/// When it cannot be fetched.
pub(super) fn haproxy(
    counted: impl FnOnce(&Path) -> Command,
    folder: &Path,
    port: u16,
    pods: &[u16; 2],
) -> Result<Command> {
    let root = apt::unpacked("haproxy")?;
    let conf = folder.join("haproxy.cfg");
    fs::write(&conf, haproxy_cfg(port, pods))?;
    let mut command = counted(&root.join("usr/sbin/haproxy"));
    command.env("LD_LIBRARY_PATH", apt::libraries(&root));
    command.arg("-db").arg("-f").arg(conf); // in the foreground, one process
    Ok(command)
}

/// nginx hashes what it issued itself, made as long as limpet's; it names no pod.
fn nginx_servers(port: u16, [one, two]: &[u16; 2]) -> String {
    let location = |path: &str| {
        format!(
            "location ~ \"^/({path}/.*)\" {{ rewrite \"^/({path}/.*)\" \"/$1\" break; proxy_pass http://pods; }}\n"
        )
    };
    let (app1, app2) = (location("app1"), location("app2"));
    format!(
        "map $cookie_route $session {{ \"\" 00000000$request_id; default $cookie_route; }}\n\
         map $cookie_route $issued {{ \"\" \"route=00000000$request_id; Path=/; HttpOnly\"; default \"\"; }}\n\
         upstream pods {{ hash $session consistent; keepalive 32; keepalive_requests 1000000000;\n\
         server 127.0.0.1:{one}; server 127.0.0.1:{two}; }}\n\
         server {{ listen 127.0.0.1:{port}; add_header Set-Cookie $issued;\n\
         proxy_http_version 1.1; proxy_set_header Connection \"\"; proxy_set_header Host $host;\n\
         {app1}{app2}location / {{ return 404; }} }}\n"
    )
}

fn haproxy_cfg(port: u16, pods: &[u16; 2]) -> String {
    let [one, two] = pods.map(|pod| {
        format!(
            "    server {pod} 127.0.0.1:{pod} cookie {}\n",
            session_of(pod)
        )
    });
    format!(
        "global\n    nbthread 1\n\
         defaults\n    mode http\n    timeout client 1h\n    timeout server 1h\n    timeout connect 1m\n\
         frontend front\n    bind 127.0.0.1:{port}\n\
         \x20   http-request return status 404 unless {{ path_reg ^/(app[12]/.*) }}\n\
         \x20   http-request set-path %[path,'regsub(\"^/(app[12]/.*)\",\"/\\1\")']\n\
         \x20   default_backend pods\n\
         backend pods\n    balance roundrobin\n    cookie route insert indirect nocache\n{one}{two}"
    )
}
