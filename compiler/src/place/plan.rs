//! The plan of a step: which projections are propagated together, and in which order.
//!
//! Contract: projections of one [`Bundle`] see the same spikes, so that one scan finds the rows of all of them. The sums come
//! out as in the schedule's order: a projection is moved only past projections that add to other sums, or to sums that
//! wrap and so do not depend on the order.
//!
//! Not here: how rows are laid out.

use crate::network::{Delays, Network, Phase, Source, Weights};

/// A part of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// A bundle of [`super::Placement::bundles`].
    Propagate(usize),
    /// The kernel of a population, with what is due of its rings before.
    Update(usize),
}

/// Which of a population's updates' spikes are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Those of the latest update before this step.
    Before,
    /// Those of this step's update.
    Now,
}

/// How the synapses of a projection find their sums.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// All at once, by rows.
    Direct,
    /// All at once, lane by lane.
    OneToOne,
    /// In a ring of sums.
    Ring,
    /// When they are due.
    Sorted,
}

/// Projections that are propagated together, before their rows are laid out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) source: Source,
    pub(super) when: When,
    /// How many updates or steps ago the spikes were.
    pub(super) ago: u32,
    pub(super) kind: Kind,
    /// Indices of projections.
    pub(super) members: Vec<usize>,
}

pub(super) fn kind(network: &Network, projection: usize) -> Kind {
    let projection = &network.projections[projection];
    match (&projection.delays, &projection.weights) {
        (Delays::Ring(_), _) => Kind::Ring,
        (Delays::Sorted(_), _) => Kind::Sorted,
        (Delays::None | Delays::Uniform(_), Weights::OneToOne(_)) => Kind::OneToOne,
        (Delays::None | Delays::Uniform(_), _) => Kind::Direct,
    }
}

pub(super) fn saturates(network: &Network, projection: usize) -> bool {
    let projection = &network.projections[projection];
    network.populations[projection.target].kernel.variables[projection.variable].ty.saturating
}

/// Which spikes a projection sees: those of the previous step, if it stands before its source's update.
pub(super) fn when(network: &Network, projection: usize) -> When {
    let Source::Events { population, .. } = network.projections[projection].source else { return When::Now };
    let position = |phase| network.schedule.iter().position(|p| *p == phase);
    if position(Phase::Propagate(projection)) < position(Phase::Update(population)) { When::Before } else { When::Now }
}

/// Groups, and the actions of a step with the groups' indices.
pub(super) fn plan(network: &Network) -> (Vec<Group>, Vec<Action>) {
    let mut groups: Vec<Group> = Vec::new();
    let mut actions = Vec::new();
    // The first group since the latest update.
    let mut open = 0;
    for phase in &network.schedule {
        match *phase {
            Phase::Update(population) => {
                actions.push(Action::Update(population));
                open = groups.len();
            }
            Phase::Propagate(index) => {
                let group = group_of(network, index);
                match joinable(network, &groups, open, &group) {
                    Some(other) => groups[other].members.push(index),
                    None => {
                        actions.push(Action::Propagate(groups.len()));
                        groups.push(group);
                    }
                }
            }
        }
    }
    (groups, actions)
}

fn group_of(network: &Network, index: usize) -> Group {
    let projection = &network.projections[index];
    let ago = if let Delays::Uniform(steps) = projection.delays { steps } else { 0 };
    let kind = kind(network, index);
    Group { source: projection.source, when: when(network, index), ago, kind, members: vec![index] }
}

/// The group since the latest update that `group`, of one projection, can be done with.
fn joinable(network: &Network, groups: &[Group], open: usize, group: &Group) -> Option<usize> {
    let index = group.members[0];
    let same_sum = |other: &usize| {
        let (a, b) = (&network.projections[index], &network.projections[*other]);
        (a.target, a.variable) == (b.target, b.variable)
            && (kind(network, *other) == Kind::Ring) == (group.kind == Kind::Ring)
    };
    let ordered = |other: &Group| saturates(network, index) && other.members.iter().any(same_sum);
    for (at, other) in groups.iter().enumerate().skip(open).rev() {
        if ordered(other) {
            return None;
        }
        let rows = |kind| matches!(kind, Kind::Direct | Kind::Ring);
        if (other.source, other.ago) == (group.source, group.ago) && rows(other.kind) && rows(group.kind) {
            return Some(at);
        }
    }
    None
}
