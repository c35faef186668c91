//! Which endpoint of a cluster an attempt goes to.

use super::{ClusterState, Endpoint, Health};
use std::net::SocketAddr;
use std::sync::atomic::Ordering;

/// What an attempt would like.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Choice<'t> {
    /// The endpoint asked for; honoured on the first try only, and only if it may be used.
    pub(crate) asked: Option<SocketAddr>,
    /// Endpoints to avoid while there are others.
    pub(crate) tried: &'t [SocketAddr],
}

impl ClusterState {
    /// The endpoint for one attempt, `None` if there is none to offer.
    ///
    /// As Envoy: an override that may be used wins; then round robin over the healthy, or
    /// where there is none the degraded ones; below the panic threshold over all.
    pub(crate) fn choose(&self, choice: Choice<'_>) -> Option<SocketAddr> {
        if let Some(asked) = choice.asked.filter(|asked| self.may_override(*asked)) {
            return Some(asked);
        }
        let hosts = self.in_rotation();
        let fresh: Vec<_> = hosts
            .iter()
            .filter(|host| !choice.tried.contains(&host.address))
            .collect();
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        if fresh.is_empty() {
            let index = turn.checked_rem(hosts.len())?;
            return hosts.get(index).map(|host| host.address);
        }
        let index = turn.checked_rem(fresh.len())?;
        fresh.get(index).map(|host| host.address)
    }

    /// `override_host_status` of the cluster.
    fn may_override(&self, asked: SocketAddr) -> bool {
        let host = self.cluster.endpoints.iter().find(|e| e.address == asked);
        host.is_some_and(|host| match host.health {
            Health::Healthy | Health::Degraded => true,
            Health::Draining => self.cluster.override_draining,
            Health::Unhealthy | Health::FailedActiveHealthCheck | Health::FailedOutlierCheck => {
                false
            }
        })
    }

    fn in_rotation(&self) -> Vec<&Endpoint> {
        let all = &self.cluster.endpoints;
        let of = |health| all.iter().filter(move |e| e.health == health);
        let healthy = of(Health::Healthy).count();
        let usable = healthy + of(Health::Degraded).count();
        let panic = usable * 100 < all.len() * usize::from(self.cluster.panic_threshold);
        if panic {
            all.iter().collect()
        } else if healthy > 0 {
            of(Health::Healthy).collect()
        } else {
            of(Health::Degraded).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::Cluster;

    fn state(healths: &[Health]) -> ClusterState {
        let endpoints = (1..)
            .zip(healths)
            .map(|(port, health)| Endpoint {
                address: address(port),
                health: *health,
            })
            .collect();
        ClusterState {
            cluster: Cluster::new(endpoints),
            ..ClusterState::default()
        }
    }

    fn address(port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    #[test]
    fn an_override_is_taken_only_where_its_health_allows() {
        use Health::*;
        let hosts = state(&[
            Healthy,
            Draining,
            Unhealthy,
            FailedOutlierCheck,
            Degraded,
            Healthy,
            Healthy,
            Healthy,
        ]);
        for (port, taken) in [
            (1, true),
            (2, true),
            (3, false),
            (4, false),
            (5, true),
            (9, false),
        ] {
            let asked = Some(address(port));
            let chosen = hosts.choose(Choice { asked, tried: &[] });
            assert_eq!(chosen == asked, taken, "port {port}");
        }
    }

    #[test]
    fn below_the_panic_threshold_all_are_in_rotation() {
        use Health::*;
        let served = |state: &ClusterState| -> Vec<u16> {
            let mut ports: Vec<_> = (0..6)
                .filter_map(|_| state.choose(Choice::default()))
                .map(|a| a.port())
                .collect();
            ports.sort_unstable();
            ports.dedup();
            ports
        };
        assert_eq!(served(&state(&[Healthy, Unhealthy])), [1]);
        assert_eq!(served(&state(&[Healthy, Unhealthy, Unhealthy])), [1, 2, 3]);
        assert!(served(&state(&[])).is_empty());
        let mut never = state(&[Unhealthy, Unhealthy]);
        never.cluster.panic_threshold = 0;
        assert!(served(&never).is_empty());
    }

    #[test]
    fn endpoints_that_were_tried_are_avoided_while_there_are_others() {
        let hosts = state(&[Health::Healthy; 3]);
        let tried = [address(1), address(2)];
        for _ in 0..4 {
            let chosen = hosts.choose(Choice {
                asked: None,
                tried: &tried,
            });
            assert_eq!(chosen, Some(address(3)));
        }
        let all = [address(1), address(2), address(3)];
        assert!(
            hosts
                .choose(Choice {
                    asked: None,
                    tried: &all
                })
                .is_some()
        );
    }
}
