//! The forwarding headers that a pod saw behind ingress-nginx, for every target alike.
//!
//! Source: `proxy_set_header` lines of `rootfs/etc/nginx/template/nginx.tmpl`, ingress-nginx
//! dbb11b92d, as recorded in `tests/traces/paths.json`. The client's own values are replaced.
