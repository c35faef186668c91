//! What happens when: by the second.

use super::load::Absences;
use super::place::KINDS;
use crate::faults::admin::ADMIN;
use crate::faults::cluster;
use limpet_tests::eds::{self, Lb};
use limpet_tests::pod::{Manner, Pod, Script};
use limpet_tests::rendered::{Rendered, Setup, edit_plugin};
use limpet_tests::wait;
use serde_json::Value;
use std::fmt;
use std::time::{Duration, Instant};

/// Envoy is restarted at these seconds: memory is compared from then on.
const RESTARTS: [u64; 2] = [8, 28];
/// From one change of the pods to the next.
const SECOND: Duration = Duration::from_secs(1);
const MANAGER: &str = "/filter_chains/0/filters/0/typed_config";

/// What was done, and what was seen meanwhile.
#[derive(Default)]
pub(super) struct Done {
    changes: usize,
    replaced: usize,
    faults: usize,
    restarts: usize,
    /// Bytes that Envoy has allocated, second by second since its last restart.
    memory: Vec<f64>,
    /// What the processes logged that are gone.
    pub(super) log: String,
}

impl Done {
    pub(super) fn all(&self) -> usize {
        self.changes + self.replaced + self.faults + self.restarts
    }

    /// The last third of the memory by the first, in the median: there are two of everything while a
    /// configuration is replaced.
    pub(super) fn growth(&self) -> f64 {
        let third = self.memory.len() / 3;
        let median = |part: &[f64]| {
            let mut part = part.to_vec();
            part.sort_by(f64::total_cmp);
            part[part.len() / 2]
        };
        median(&self.memory[self.memory.len() - third..]) / median(&self.memory[..third])
    }
}

impl fmt::Display for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            changes,
            replaced,
            faults,
            restarts,
            ..
        } = self;
        write!(
            f,
            "{changes} pods left and came, {replaced} configurations, {faults} faults of the admin, \
             {restarts} restarts; memory of the last third by the first {:.3}",
            self.growth()
        )
    }
}

pub(super) struct Director<'c> {
    pub(super) envoy: &'c mut Rendered,
    pub(super) setup: &'c Setup,
    pub(super) pods: &'c mut [Pod],
    pub(super) absences: &'c Absences,
    pub(super) has_module: bool,
}

impl Director<'_> {
    pub(super) fn direct(mut self, time: Duration) -> Done {
        let mut done = Done::default();
        let mut nobody = Pod::start();
        nobody.stop();
        let nonsense = Pod::start();
        let slow = Pod::start();
        slow.behave(Script {
            manner: Manner::Hold,
            ..Script::default()
        });
        let faulty = [&nobody, &nonsense, &slow].map(Pod::endpoint);
        let mut away = 0;
        // Back while limpet could not know.
        let mut unknown = None::<Vec<usize>>;
        let start = Instant::now();
        let mut due = start;
        for second in 1.. {
            due = Instant::now().max(due + SECOND);
            wait::until("the next second", || Instant::now() >= due);
            if start.elapsed() >= time {
                break;
            }
            if RESTARTS.contains(&second) {
                done.log.push_str(&self.envoy.restart(self.setup));
                done.restarts += 1;
                done.memory.clear();
            }
            match second % 20 {
                11 => {
                    // Who is back by now is known.
                    if self.has_module {
                        self.envoy.wait_until_discovered();
                    }
                    self.send_admin_to(&faulty[done.faults % faulty.len()]);
                    unknown = Some(Vec::new());
                    done.faults += 1;
                }
                16 => {
                    self.send_admin_to("admin.sock");
                    if self.has_module {
                        self.envoy.wait_until_discovered();
                    }
                    for pod in unknown.take().into_iter().flatten() {
                        self.absences.is_back(&self.pods[pod]);
                    }
                }
                _ => {}
            }
            if second % 10 == 5 {
                self.replace_configuration(done.replaced);
                done.replaced += 1;
            }
            let next = (away + 5) % self.pods.len();
            self.change(away, next, second % 2 == 0);
            match &mut unknown {
                Some(unknown) => {
                    unknown.retain(|pod| *pod != next);
                    unknown.push(away);
                }
                None => self.absences.is_back(&self.pods[away]),
            }
            away = next;
            done.changes += 1;
            done.memory.push(self.allocated());
        }
        done
    }

    /// One pod is there again, another one leaves: `dies` before Envoy knows, or after.
    fn change(&mut self, back: usize, leaves: usize, dies: bool) {
        self.pods[back].restart();
        self.absences.leaves(&self.pods[leaves]);
        if dies {
            self.pods[leaves].stop();
        }
        let listed = self.pods.iter().enumerate().filter(|(n, _)| *n != leaves);
        let listed = eds::healthy(listed.map(|(_, pod)| pod));
        for kind in 0..KINDS.len() {
            self.envoy.set_endpoints(&cluster(kind), &listed);
        }
        self.pods[leaves].stop();
    }

    /// The listener's, but not that of what is held.
    fn replace_configuration(&mut self, count: usize) {
        self.envoy.edit_listeners(|file| {
            let listener = &mut file["resources"][0];
            let manager = listener.pointer_mut(MANAGER).unwrap();
            manager["request_headers_timeout"] = format!("{}s", 60 + count % 2).into();
            edit_plugin(listener, |config: &mut Value| {
                config["report"] = ["summary", "off"][count % 2].into();
            });
        });
    }

    fn send_admin_to(&self, address: &str) {
        let admin = Lb {
            address: address.to_owned(),
            health: "HEALTHY",
        };
        self.envoy.set_endpoints(ADMIN, &[admin]);
    }

    fn allocated(&self) -> f64 {
        let memory: Value =
            serde_json::from_slice(&self.envoy.envoy.admin("/memory").body).unwrap();
        memory["allocated"].as_str().unwrap().parse().unwrap()
    }
}
