//! Which user agents cannot read `SameSite=None`.

/// Parts of a User-Agent that mean it refuses cookies with `SameSite=None`.
///
/// Source: `same_site_none_compatible`, `rootfs/etc/nginx/lua/util/same_site.lua`,
/// ingress-nginx dbb11b92d. `Chrome/4` is meant for Chrome 51 to 69 and is what the original
/// says: Chrome 400 matches too, Chromium 55 does not.
const INCOMPATIBLE: [&[u8]; 5] = [
    b"Chrome/4",
    b"Chrome/5",
    b"Chrome/6",
    b"CPU iPhone OS 12",
    b"iPad; CPU OS 12",
];

/// Whether a cookie with `SameSite=None` may be sent to this User-Agent; one that says
/// nothing of itself may have it.
#[must_use]
pub fn none_compatible(user_agent: Option<&[u8]>) -> bool {
    let Some(user_agent) = user_agent else {
        return true;
    };
    let has = |part: &[u8]| user_agent.windows(part.len()).any(|window| window == part);
    let old_safari =
        has(b"Macintosh") && has(b"Intel Mac OS X 10_14") && has(b"Safari") && !has(b"Chrome");
    !INCOMPATIBLE.iter().any(|part| has(part)) && !old_safari
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_agents_are_judged_as_ingress_nginx_does() {
        let mac = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_14) AppleWebKit/605.1.15";
        for (user_agent, compatible) in [
            ("", true),
            ("Chrome/120.0.0.0", true),
            ("Chrome/49.0", false),
            ("Chrome/67.0", false),
            ("Chrome/400", false),
            ("Chromium/55", true),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 12_1 like Mac OS X)",
                false,
            ),
            ("Mozilla/5.0 (iPad; CPU OS 12_0 like Mac OS X)", false),
            ("Mozilla/5.0 (iPad; CPU OS 13_3 like Mac OS X)", true),
            (mac, true),
            (&format!("{mac} Version/12.0 Safari/605.1.15"), false),
            (&format!("{mac} Chrome/80.0 Safari/605.1.15"), true),
        ] {
            let found = none_compatible(Some(user_agent.as_bytes()));
            assert_eq!(found, compatible, "{user_agent:?}");
        }
        assert!(none_compatible(None));
    }
}
