//! The pods behind the proxy: which are listed, and what one may do to them.

use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::Context;
use limpet_envoy::clusters::{Cluster, Endpoint, Health};
use serde::Serialize;

use crate::pods::{Pod, Pods};

/// How many pods one Deployment may be scaled up to here.
const MOST: usize = 9;

/// What a pod is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    /// It takes requests.
    Ready,
    /// It keeps its sessions and gets no new ones.
    Draining,
    /// It is not listed, and does not listen.
    Stopped,
}

/// One pod.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Member {
    /// Such as `http-app-1`; the address of one that no Deployment among the manifests has.
    pub(crate) name: String,
    pub(crate) address: String,
    pub(crate) state: State,
    /// Its Deployment, which may have another one; `None`: it was given by its address.
    pub(crate) deployment: Option<String>,
    /// The clusters that list it.
    #[serde(skip)]
    clusters: Vec<String>,
    #[serde(skip)]
    pod: Option<Pod>,
}

/// What was done to a pod.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    /// In words, such as `http-app-3 was added`.
    pub(crate) what: String,
    /// The clusters of the pod, with how many pods each listed before.
    pub(crate) clusters: Vec<(String, usize)>,
    pub(crate) kind: Kind,
    pub(crate) address: String,
}

/// What a change means to the list of endpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It is longer by one.
    More,
    /// It is shorter by one, whose sessions are homeless.
    Less,
    /// It names the same pods: one gets new sessions again, or none any more.
    Same,
}

/// Gives a cluster its new endpoints.
pub(crate) type Tell = dyn Fn(&Cluster) -> anyhow::Result<()> + Send + Sync;

/// All pods.
pub(crate) struct Fleet {
    inner: Mutex<Inner>,
    pods: Option<Pods>,
    tell: Box<Tell>,
}

struct Inner {
    members: Vec<Member>,
    clusters: Vec<Cluster>,
    is_locked: bool,
}

impl Fleet {
    /// The endpoints of `clusters`, those of `pods` among them under their names.
    pub(crate) fn new(clusters: &[Cluster], pods: Option<Pods>, tell: Box<Tell>) -> Self {
        let known = pods.iter().flat_map(|pods| &pods.pods);
        let mut members: Vec<Member> = known.map(|pod| Member::of(pod.clone())).collect();
        for cluster in clusters {
            for endpoint in &cluster.endpoints {
                let found = members
                    .iter_mut()
                    .find(|member| member.address == endpoint.address);
                match found {
                    Some(member) => member.clusters.push(cluster.name()),
                    None => members.push(Member::given(endpoint, cluster)),
                }
            }
        }
        members.retain(|member| !member.clusters.is_empty());
        Self {
            inner: Mutex::new(Inner {
                members,
                clusters: clusters.to_vec(),
                is_locked: false,
            }),
            pods,
            tell,
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn members(&self) -> Vec<Member> {
        self.inner().members.clone()
    }

    /// Whether a story is being told, which nobody may disturb.
    pub(crate) fn is_locked(&self) -> bool {
        self.inner().is_locked
    }

    pub(crate) fn lock(&self, is_locked: bool) {
        self.inner().is_locked = is_locked;
    }

    /// `namespace/service:port=ip:port,...` of every cluster as it is now: `--endpoints`.
    pub(crate) fn flags(&self) -> Vec<String> {
        let inner = self.inner();
        let clusters = inner.clusters.iter().map(|cluster| {
            let endpoints = inner.endpoints(&cluster.name());
            let addresses: Vec<String> = endpoints.into_iter().map(|one| one.address).collect();
            format!("{}={}", cluster.service_port.key(), addresses.join(","))
        });
        clusters.collect()
    }

    /// Lists these endpoints and no other, without stopping anything.
    pub(crate) fn list(&self, endpoints: &[Endpoint]) -> anyhow::Result<()> {
        let mut inner = self.inner();
        for member in &mut inner.members {
            let is_listed = endpoints.iter().any(|one| one.address == member.address);
            member.state = if is_listed {
                State::Ready
            } else {
                State::Stopped
            };
        }
        let all: Vec<String> = inner.clusters.iter().map(Cluster::name).collect();
        self.publish(&inner, &all)
    }

    /// Ends the pod and takes it off the lists.
    pub(crate) fn stop(&self, index: usize) -> anyhow::Result<Change> {
        let mut inner = self.unlocked()?;
        let change = inner.change(index, State::Stopped, Kind::Less, "stopped")?;
        self.publish(&inner, &change.names())?;
        if let (Some(pods), Some(pod)) = (&self.pods, inner.pod(index)) {
            pods.stop(pod);
        }
        Ok(change)
    }

    /// Keeps the pod for its sessions alone.
    pub(crate) fn drain(&self, index: usize) -> anyhow::Result<Change> {
        let mut inner = self.unlocked()?;
        let change = inner.change(index, State::Draining, Kind::Same, "is draining")?;
        self.publish(&inner, &change.names())?;
        Ok(change)
    }

    /// Starts it where it is stopped, and lists it.
    pub(crate) fn start(&self, index: usize) -> anyhow::Result<Change> {
        let mut inner = self.unlocked()?;
        let was = inner.member(index)?.state;
        let kind = match was {
            State::Stopped => Kind::More,
            State::Ready | State::Draining => Kind::Same,
        };
        let change = inner.change(index, State::Ready, kind, "takes requests again")?;
        if let (Some(pods), Some(pod), State::Stopped) = (&self.pods, inner.pod(index), was) {
            pods.start_again(pod)?;
        }
        self.publish(&inner, &change.names())?;
        Ok(change)
    }

    /// One pod more of a Deployment.
    pub(crate) fn add(&self, deployment: &str) -> anyhow::Result<Change> {
        let mut inner = self.unlocked()?;
        let is_one = |member: &&Member| member.deployment.as_deref() == Some(deployment);
        let siblings: Vec<&Member> = inner.members.iter().filter(is_one).collect();
        let first = siblings.first().context("there is no such Deployment")?;
        let clusters = first.clusters.clone();
        anyhow::ensure!(siblings.len() < MOST, "{MOST} pods are enough");
        let numbers = siblings
            .iter()
            .filter_map(|one| Some(one.pod.as_ref()?.number));
        let number = numbers.max().unwrap_or(0) + 1;
        let pods = self.pods.as_ref().context("no pod can be started here")?;
        let pod = pods.another(deployment, number, inner.members.len())?;
        let mut member = Member::of(pod);
        member.clusters = clusters;
        let change = Change {
            what: format!("{} was added", member.name),
            clusters: inner.sizes(&member.clusters),
            kind: Kind::More,
            address: member.address.clone(),
        };
        inner.members.push(member);
        self.publish(&inner, &change.names())?;
        Ok(change)
    }

    fn unlocked(&self) -> anyhow::Result<MutexGuard<'_, Inner>> {
        let inner = self.inner();
        anyhow::ensure!(
            !inner.is_locked,
            "the story is being played: the pods are yours when it is over"
        );
        Ok(inner)
    }

    fn publish(&self, inner: &Inner, names: &[String]) -> anyhow::Result<()> {
        let named = |cluster: &&Cluster| names.contains(&cluster.name());
        for cluster in inner.clusters.iter().filter(named) {
            (self.tell)(&Cluster {
                endpoints: inner.endpoints(&cluster.name()),
                ..cluster.clone()
            })?;
        }
        Ok(())
    }
}

impl Inner {
    fn endpoints(&self, cluster: &str) -> Vec<Endpoint> {
        let listed = self.members.iter().filter(|member| member.is_in(cluster));
        let endpoint = |member: &Member| {
            let health = match member.state {
                State::Ready => Health::Healthy,
                State::Draining => Health::Draining,
                State::Stopped => return None,
            };
            let address = member.address.clone();
            Some(Endpoint { address, health })
        };
        listed.filter_map(endpoint).collect()
    }

    fn member(&self, index: usize) -> anyhow::Result<&Member> {
        self.members.get(index).context("there is no such pod")
    }

    fn pod(&self, index: usize) -> Option<&Pod> {
        self.members.get(index)?.pod.as_ref()
    }

    /// How many pods each cluster lists.
    fn sizes(&self, clusters: &[String]) -> Vec<(String, usize)> {
        let size = |name: &String| {
            let members = self.members.iter();
            let listed = members.filter(|one| one.is_in(name) && one.state != State::Stopped);
            (name.clone(), listed.count())
        };
        clusters.iter().map(size).collect()
    }

    fn change(
        &mut self,
        index: usize,
        state: State,
        kind: Kind,
        done: &str,
    ) -> anyhow::Result<Change> {
        let member = self.member(index)?;
        anyhow::ensure!(member.state != state, "{} is so already", member.name);
        let change = Change {
            what: format!("{} {done}", member.name),
            clusters: self.sizes(&member.clusters),
            kind,
            address: member.address.clone(),
        };
        if let Some(member) = self.members.get_mut(index) {
            member.state = state;
        }
        Ok(change)
    }
}

impl Change {
    fn names(&self) -> Vec<String> {
        let clusters = self.clusters.iter();
        clusters.map(|(name, _)| name.clone()).collect()
    }
}

impl Member {
    fn of(pod: Pod) -> Self {
        Self {
            name: format!("{}-{}", pod.deployment, pod.number),
            address: pod.address.to_string(),
            state: State::Ready,
            deployment: Some(pod.deployment.clone()),
            clusters: Vec::new(),
            pod: Some(pod),
        }
    }

    fn given(endpoint: &Endpoint, cluster: &Cluster) -> Self {
        Self {
            name: endpoint.address.clone(),
            address: endpoint.address.clone(),
            state: match endpoint.health {
                Health::Healthy => State::Ready,
                Health::Draining => State::Draining,
            },
            deployment: None,
            clusters: vec![cluster.name()],
            pod: None,
        }
    }

    fn is_in(&self, cluster: &str) -> bool {
        self.clusters.iter().any(|name| name == cluster)
    }
}
