//! A process of several VMs over one admin, in virtual time.

use super::news::News;
use super::*;
use crate::endpoints::Endpoint;
use std::collections::BTreeSet;

const MS: u64 = 1_000;
const SECOND: u64 = 1_000 * MS;

/// What the admin does.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Admin {
    Answers,
    Away,
    Garbage,
    Slow,
}

struct Vm {
    machine: Discovery,
    serving: bool,
    building: bool,
    /// What its tables hold.
    tables: BTreeMap<String, Vec<Endpoint>>,
    polls: u64,
    failures: u64,
    lines: Vec<String>,
}

struct Process {
    now: u64,
    store: BTreeMap<String, (Vec<u8>, u32)>,
    cas: u32,
    vms: Vec<Vm>,
    admin: Admin,
    keeps_figures: bool,
    /// What one question takes.
    took: u64,
    clusters: BTreeMap<String, Vec<String>>,
    changes: BTreeMap<String, u64>,
    asked: Vec<(u64, String)>,
    answers: Vec<(u64, usize, Result<Vec<u8>, String>)>,
}

impl Process {
    fn new(vms: usize) -> Self {
        let mut process = Self {
            now: 1_000_000 * SECOND,
            store: BTreeMap::new(),
            cas: 0,
            vms: Vec::new(),
            admin: Admin::Answers,
            keeps_figures: true,
            took: 2 * MS,
            clusters: BTreeMap::new(),
            changes: BTreeMap::new(),
            asked: Vec::new(),
            answers: Vec::new(),
        };
        process.set("a", &["10.0.0.1:80", "10.0.0.2:80"]);
        process.set("b", &["10.0.1.1:80"]);
        for i in 0..vms {
            process.configure(i > 0);
        }
        process
    }

    fn configure(&mut self, serving: bool) {
        let query = Query::new("admin".into(), vec!["a".into(), "b".into()]);
        let machine = Discovery::new(query, 1000, 1000, self.now);
        self.vms.push(Vm {
            machine,
            serving,
            building: false,
            tables: BTreeMap::new(),
            polls: 0,
            failures: 0,
            lines: Vec::new(),
        });
        let vm = self.vms.len() - 1;
        let shared = self.shared();
        let effects = self.vms[vm].machine.start(self.now, &shared);
        self.carry_out(vm, effects);
    }

    fn set(&mut self, cluster: &str, addresses: &[&str]) {
        let addresses = addresses.iter().map(ToString::to_string).collect();
        self.clusters.insert(cluster.into(), addresses);
        *self.changes.entry(cluster.into()).or_default() += 1;
    }

    fn set_many(&mut self, cluster: &str, endpoints: u32) {
        let address = |n: u32| format!("10.{}.{}.{}:80", 1 + n / 62_500, n / 250 % 250, n % 250);
        let addresses: Vec<_> = (0..endpoints).map(address).collect();
        let addresses: Vec<_> = addresses.iter().map(String::as_str).collect();
        self.set(cluster, &addresses);
    }

    fn shared(&self) -> Shared {
        let keys = Query::new("admin".into(), vec!["a".into(), "b".into()]).keys();
        let read = |key: &str| self.store.get(key).cloned();
        Shared {
            lease: read(&keys.lease).map(|(v, cas)| (Lease::decode(&v).unwrap(), cas)),
            news: read(&keys.news).map(|(v, cas)| (News::decode(&v).unwrap(), cas)),
        }
    }

    fn share(&mut self, key: String, value: Vec<u8>, cas: u32) -> bool {
        let current = self.store.get(&key).map_or(0, |v| v.1);
        if cas != 0 && cas != current {
            return false;
        }
        self.cas += 1;
        self.store.insert(key, (value, self.cas));
        true
    }

    fn carry_out(&mut self, vm: usize, effects: Vec<Effect>) {
        let keys = self.vms[vm].machine.query().keys();
        for effect in effects {
            match effect {
                Effect::Claim { lease, cas } => {
                    if !self.share(keys.lease.clone(), lease, cas) {
                        self.vms[vm].machine.beaten();
                        return;
                    }
                }
                Effect::Ask { path } => {
                    self.asked.push((self.now, path.clone()));
                    let (after, answer) = match self.admin {
                        Admin::Answers => (self.took, Ok(self.answer(&path))),
                        Admin::Away => (0, Err("no answer".into())),
                        Admin::Garbage => (self.took, Ok(b"<html>".to_vec())),
                        Admin::Slow => (TIMEOUT, Err("no answer".into())),
                    };
                    self.answers.push((self.now + after, vm, answer));
                }
                Effect::Publish(table) => assert!(self.share(keys.table.clone(), table, 0)),
                Effect::Tell { news, cas } => drop(self.share(keys.news.clone(), news, cas)),
                Effect::Read => {
                    let (table, _) = self.store[&keys.table].clone();
                    let shared = self.shared();
                    let more = self.vms[vm].machine.read(&shared, &table);
                    self.carry_out(vm, more);
                }
                Effect::Build(clusters) => {
                    self.vms[vm].tables.extend(clusters);
                    self.vms[vm].building = true;
                }
                Effect::Polled => self.vms[vm].polls += 1,
                Effect::Failed(line) => {
                    self.vms[vm].failures += 1;
                    self.vms[vm].lines.extend(line);
                }
            }
        }
    }

    fn answer(&self, path: &str) -> Vec<u8> {
        let mut text = String::new();
        let wanted = |name: &str| path.contains(&format!("%28{name}%29")) || path.contains("%7C");
        for (name, addresses) in self.clusters.iter().filter(|c| wanted(c.0)) {
            if !path.starts_with("/stats") {
                text += &format!("{name}::added_via_api::true\n");
                for address in addresses {
                    text += &format!("{name}::{address}::health_flags::healthy\n");
                }
            } else if self.keeps_figures {
                let changes = self.changes[name];
                text += &format!("cluster.{name}.membership_change: {changes}\n");
            }
        }
        text.into_bytes()
    }

    /// Lets time go by, with ticks of 10 ms as in a busy VM.
    fn run(&mut self, time: u64) {
        let end = self.now + time;
        while self.now < end {
            self.now += MS;
            for (_, vm, answer) in self
                .answers
                .extract_if(.., |a| a.0 <= self.now)
                .collect::<Vec<_>>()
            {
                let shared = self.shared();
                let effects = self.vms[vm].machine.answered(self.now, &shared, answer);
                self.carry_out(vm, effects);
                while self.vms[vm].machine.is_reading() {
                    let effects = self.vms[vm].machine.read_on(self.now, &shared, 1);
                    self.carry_out(vm, effects);
                }
            }
            if self.now.is_multiple_of(10 * MS) {
                for vm in 0..self.vms.len() {
                    self.tick(vm);
                }
            }
        }
    }

    fn tick(&mut self, vm: usize) {
        if std::mem::take(&mut self.vms[vm].building) {
            self.vms[vm].machine.built();
        }
        let shared = self.shared();
        let serving = self.vms[vm].serving;
        let effects = self.vms[vm].machine.tick(self.now, &shared, serving);
        self.carry_out(vm, effects);
    }

    fn polls(&self) -> u64 {
        self.vms.iter().map(|vm| vm.polls).sum()
    }

    fn knowledge(&self, vm: usize, arrived: u64) -> Knowledge {
        self.vms[vm].machine.knowledge(self.now, arrived, 0)
    }

    /// Every VM's tables hold what the admin would say.
    fn assert_all_know(&self) {
        for (i, vm) in self.vms.iter().enumerate() {
            for (name, addresses) in &self.clusters {
                let known: Vec<_> = vm.tables[name].iter().map(|e| &*e.address).collect();
                assert_eq!(
                    known,
                    addresses.iter().collect::<Vec<&String>>(),
                    "VM {i}, {name}"
                );
            }
        }
    }
}

#[test]
fn every_vm_polls_first_for_itself_and_then_one_for_all() {
    let mut process = Process::new(5);
    process.run(100 * MS);
    process.assert_all_know();
    assert_eq!(process.polls(), 5);
    process.run(10 * SECOND);
    let polls = process.polls() - 5;
    assert!((9..=10).contains(&polls), "{polls} polls in 10 s");
    // The VM without requests does the work.
    assert_eq!(process.vms[0].polls, 1 + polls);
    let cheap = process.asked.iter().filter(|a| a.1.starts_with("/stats"));
    assert_eq!(cheap.count() as u64, polls);
    // The first five, and once with the figures of membership.
    assert_eq!(process.asked.len() as u64, polls + 6);
}

#[test]
fn a_change_is_known_to_all_and_only_the_changed_cluster_is_asked_for() {
    let mut process = Process::new(3);
    process.run(3 * SECOND);
    process.set("b", &["10.0.1.1:80", "10.0.1.2:80"]);
    let asked = process.asked.len();
    process.run(1300 * MS);
    process.assert_all_know();
    let paths: BTreeSet<_> = process.asked[asked..]
        .iter()
        .map(|a| a.1.as_str())
        .collect();
    let endpoints: Vec<_> = paths
        .iter()
        .filter(|p| p.starts_with("/clusters"))
        .collect();
    assert_eq!(endpoints, [&"/clusters?format=json&filter=%5E%28b%29%24"]);
}

#[test]
fn without_the_figures_the_endpoints_are_polled_at_an_interval_that_grows_with_their_cost() {
    let mut process = Process::new(2);
    process.keeps_figures = false;
    process.run(3 * SECOND);
    process.set("a", &["10.0.0.3:80"]);
    process.run(1500 * MS);
    process.assert_all_know();
    let stats = |p: &Process| p.asked.iter().filter(|a| a.1.starts_with("/stats")).count();
    let tried = stats(&process);
    process.took = 40 * MS;
    process.run(2 * SECOND);
    let before = process.polls();
    process.run(20 * SECOND);
    let polls = process.polls() - before;
    assert!((4..=6).contains(&polls), "{polls} polls of 40 ms in 20 s");
    assert_eq!(
        stats(&process),
        tried,
        "the figures are not asked for again"
    );
}

#[test]
fn the_more_a_poll_costs_the_longer_it_is_left_to_the_vm_without_requests() {
    let news = |interval| News {
        began: SECOND,
        interval,
        digest: 1,
        failures: 0,
        spent: 0,
    };
    let due = |interval, serving| {
        let shared = Shared {
            lease: Some((Lease { began: SECOND }, 1)),
            news: Some((news(interval), 1)),
        };
        schedule::due(&shared, SECOND, serving).unwrap() - SECOND
    };
    for (interval, courtesy) in [
        (SECOND, 250 * MS),
        (2 * SECOND, 500 * MS),
        (10 * SECOND, SECOND),
    ] {
        assert_eq!(due(interval, false), interval);
        assert_eq!(due(interval, true), interval + courtesy);
    }
}

#[test]
fn an_unknown_cookie_asks_for_a_poll_that_begins_after_it() {
    let mut process = Process::new(3);
    process.run(1500 * MS);
    let arrived = process.now;
    assert_eq!(process.knowledge(1, arrived), Knowledge::Coming);
    process.vms[1].machine.want(arrived);
    process.set("a", &["10.0.0.9:80"]);
    process.run(130 * MS);
    assert_eq!(process.knowledge(1, arrived), Knowledge::Current);
    assert_eq!(&*process.vms[1].tables["a"][0].address, "10.0.0.9:80");
    assert!(process.asked.iter().any(|a| a.0 > arrived));
}

#[test]
fn early_polls_of_a_process_are_a_tenth_of_a_second_apart() {
    let mut process = Process::new(4);
    process.run(1500 * MS);
    let before = process.polls();
    for _ in 0..200 {
        for vm in 1..4 {
            process.vms[vm].machine.want(process.now);
        }
        process.run(10 * MS);
    }
    let polls = process.polls() - before;
    assert!((15..=20).contains(&polls), "{polls} polls in 2 s");
}

/// 9.5 polls a second for cookies of nobody once kept the main thread busy for half its time.
#[test]
fn early_polls_take_no_more_of_the_time_than_regular_ones() {
    let mut process = Process::new(4);
    process.set_many("a", 15_000);
    process.took = 48 * MS;
    process.run(20 * SECOND);
    let (before, minute) = (process.polls(), 60 * SECOND);
    let end = process.now + minute;
    let mut waited = 0;
    while process.now < end {
        let arrived = process.now;
        if process.knowledge(1, arrived) == Knowledge::Coming {
            waited += 1;
            process.vms[1].machine.want(arrived);
        }
        process.run(10 * MS);
    }
    let polls = process.polls() - before;
    // A share of a hundredth each for regular and early ones, and what early ones run ahead.
    let most = (2 * minute + 30 * SECOND) / 100 / process.took + 2;
    assert!(polls <= most, "{polls} polls in a minute, at most {most}");
    assert!(polls > 12, "{polls}: early ones, too");
    assert!((100..3000).contains(&waited), "{waited} of 6000 waited");

    let arrived = process.now;
    assert_eq!(process.knowledge(1, arrived), Knowledge::Unavailable);
    // The regular one comes all the same.
    process.run(15 * SECOND);
    assert_eq!(process.knowledge(1, arrived), Knowledge::Current);
}

#[test]
fn a_busy_machine_does_not_make_early_polls_dear_where_there_are_few_endpoints() {
    let mut process = Process::new(2);
    process.took = 90 * MS;
    process.run(20 * SECOND);
    for _ in 0..100 {
        let arrived = process.now;
        assert_eq!(process.knowledge(1, arrived), Knowledge::Coming);
        process.vms[1].machine.want(arrived);
        process.run(250 * MS);
        assert_eq!(process.knowledge(1, arrived), Knowledge::Current);
    }
}

#[test]
fn before_the_first_table_a_request_waits_until_the_hold_ends() {
    let mut process = Process::new(1);
    process.admin = Admin::Slow;
    process.configure(true);
    let arrived = process.now + 10 * MS;
    process.run(900 * MS);
    assert_eq!(process.knowledge(1, arrived), Knowledge::Coming);
    let crowd = process.vms[1].machine.knowledge(process.now, arrived, 1024);
    assert_eq!(crowd, Knowledge::Unavailable);
    process.run(110 * MS);
    assert_eq!(process.knowledge(1, arrived), Knowledge::Unavailable);
}

#[test]
fn before_the_first_table_a_request_waits_until_the_first_poll_fails() {
    let mut process = Process::new(0);
    process.admin = Admin::Away;
    process.configure(true);
    assert_eq!(process.knowledge(0, process.now), Knowledge::Coming);
    process.run(2 * MS);
    assert_eq!(process.knowledge(0, process.now), Knowledge::Unavailable);
    process.admin = Admin::Answers;
    process.run(SECOND);
    process.assert_all_know();
    assert_ne!(process.knowledge(0, process.now), Knowledge::Unavailable);
}

#[test]
fn an_admin_that_is_gone_costs_one_line_and_the_last_table_stays() {
    for admin in [Admin::Away, Admin::Garbage, Admin::Slow] {
        let mut process = Process::new(4);
        process.run(3 * SECOND);
        process.admin = admin;
        let before = process.polls();
        process.vms[1].machine.want(process.now);
        process.run(60 * SECOND);
        process.assert_all_know();
        let polls = process.polls() - before;
        assert!(
            (3..=20).contains(&polls),
            "{admin:?}: {polls} polls in 60 s"
        );
        let lines: usize = process.vms.iter().map(|vm| vm.lines.len()).sum();
        assert_eq!(lines, 1, "{admin:?}");
        assert_eq!(process.knowledge(1, process.now), Knowledge::Unavailable);

        process.admin = Admin::Answers;
        process.set("a", &["10.0.0.7:80"]);
        process.run(16 * SECOND);
        process.assert_all_know();
        assert_eq!(process.knowledge(1, process.now), Knowledge::Coming);
    }
}

#[test]
fn a_vm_that_dies_with_the_lease_is_replaced() {
    let mut process = Process::new(3);
    process.run(3 * SECOND);
    // The one that polls goes, its answer with it.
    while process.answers.is_empty() {
        process.run(MS);
    }
    process.answers.clear();
    process.vms.remove(0);
    process.set("b", &["10.0.1.5:80"]);
    process.run(TIMEOUT + SECOND);
    process.assert_all_know();
}

#[test]
fn a_new_vm_knows_at_once_what_the_others_know() {
    let mut process = Process::new(2);
    process.run(3 * SECOND);
    process.admin = Admin::Slow;
    process.configure(true);
    assert_eq!(process.vms[2].tables, process.vms[1].tables);
}

#[test]
fn a_clock_that_is_set_back_stops_nothing() {
    let mut process = Process::new(3);
    process.run(3 * SECOND);
    process.now -= 3600 * SECOND;
    process.run(SECOND);
    process.set("a", &["10.0.0.8:80"]);
    process.run(5 * SECOND);
    process.assert_all_know();
    let before = process.polls();
    process.run(10 * SECOND);
    assert!(process.polls() - before <= 11);
}

#[test]
fn a_cluster_that_the_proxy_forgets_keeps_its_endpoints() {
    let mut process = Process::new(2);
    process.run(3 * SECOND);
    process.clusters.remove("b");
    process.run(40 * SECOND);
    assert_eq!(&*process.vms[1].tables["b"][0].address, "10.0.1.1:80");
}

#[test]
fn what_was_read_is_built_though_the_lease_is_lost_in_the_same_tick() {
    let mut process = Process::new(2);
    process.run(1500 * MS);
    process.set("a", &["10.0.0.4:80"]);
    // The other VM polls; before this one hears of it, the next poll is due, and is lost.
    process.vms[1].tables.clear();
    let mut late = process.vms.pop().unwrap();
    process.run(1200 * MS);
    let shared = process.shared();
    late.machine.want(process.now);
    let stale = Shared {
        lease: shared.lease.map(|(lease, cas)| (lease, cas + 1)),
        ..shared
    };
    let effects = late.machine.tick(process.now + 100 * MS, &stale, true);
    assert_eq!(effects.first(), Some(&Effect::Read));
    process.vms.push(late);
    process.carry_out(1, effects);
    assert_eq!(&*process.vms[1].tables["a"][0].address, "10.0.0.4:80");
    assert!(process.vms[1].machine.poll.is_none());
}

#[test]
fn only_a_table_whose_poll_began_after_a_request_came_is_newer_than_it() {
    let mut process = Process::new(1);
    process.run(3 * SECOND);
    let confirmed = process.vms[0].machine.confirmed.unwrap();
    assert_eq!(process.knowledge(0, confirmed - 1), Knowledge::Current);
    assert_ne!(process.knowledge(0, confirmed), Knowledge::Current);
}

#[test]
fn a_clock_that_is_set_back_makes_no_old_table_new() {
    let mut process = Process::new(1);
    process.run(3 * SECOND);
    process.admin = Admin::Slow;
    process.answers.clear();
    process.now -= 3600 * SECOND;
    process.tick(0);
    assert_ne!(process.knowledge(0, process.now), Knowledge::Current);
}

#[test]
fn a_table_that_the_news_do_not_tell_of_is_not_taken() {
    let mut process = Process::new(2);
    process.run(3 * SECOND);
    let shared = process.shared();
    let machine = &mut process.vms[1].machine;
    let mut other = machine.listing.clone();
    let forged = vec![Endpoint {
        address: "10.9.9.9:80".into(),
        health: crate::endpoints::Health::Healthy,
    }];
    other.clusters.get_mut("a").unwrap().endpoints = forged;
    let (written, _) = other.encode();
    assert_eq!(machine.read(&shared, &written), []);
    assert_eq!(machine.endpoints(), 3);
}

#[test]
fn a_vm_that_knows_nothing_takes_what_was_last_known_though_the_admin_is_gone() {
    let mut process = Process::new(2);
    process.run(3 * SECOND);
    process.admin = Admin::Away;
    process.run(3 * SECOND);
    assert!(process.vms[1].machine.failures > 0);
    process.configure(true);
    assert_eq!(process.vms[2].tables, process.vms[1].tables);
    assert_eq!(process.knowledge(2, process.now), Knowledge::Unavailable);
}

#[test]
fn a_poll_that_failed_makes_no_table_newer() {
    let mut process = Process::new(2);
    process.run(3 * SECOND);
    let arrived = process.now;
    process.admin = Admin::Away;
    process.set("a", &["10.0.0.9:80"]);
    process.run(3 * SECOND);
    assert!(process.shared().news.unwrap().0.began > arrived);
    for vm in 0..2 {
        assert_ne!(
            process.knowledge(vm, arrived),
            Knowledge::Current,
            "VM {vm}"
        );
    }
}

#[test]
fn an_older_poll_that_ends_later_tells_nothing_and_one_that_failed_no_table_of_its_own() {
    let mut process = Process::new(2);
    process.run(3 * SECOND);
    let shared = process.shared();
    let (news, _) = shared.news.unwrap();
    let now = process.now;
    let machine = &mut process.vms[1].machine;
    machine.digest = news.digest.wrapping_add(1);
    let mut told = |shared: &Shared, began: u64| {
        let effects = machine.fail(now, shared, began, "away");
        effects.into_iter().find_map(|effect| match effect {
            Effect::Tell { news, .. } => News::decode(&news),
            _ => None,
        })
    };
    assert!(told(&shared, news.began - 1).is_none());
    for began in [news.began, news.began + 1] {
        let told = told(&shared, began).unwrap();
        assert_eq!((told.began, told.digest), (began, news.digest));
        assert!(told.failures > 0);
    }
    // News of a time to come are of a clock that was set back.
    let ahead = Shared {
        news: shared.news.map(|(news, cas)| {
            let began = now + SECOND;
            (News { began, ..news }, cas)
        }),
        ..shared
    };
    assert!(told(&ahead, now - 1).is_some());
}
