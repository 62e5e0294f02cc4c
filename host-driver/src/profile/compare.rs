//! Two profiles: what became better, what worse, and by how much.
//!
//! Contract: totals are compared as means over samples, so that profiles of different numbers of samples can be. A change
//! in percent is `100 · (after − before) / before`; there is none where something was 0 or not there before. Fewer cycles,
//! instructions, operations, lanes and bytes are better, more accuracy, sparsity and use of lanes are; of spikes neither is.
//! Changes are sorted: what is worse, what is better, what is different and neither, and what is the same; in each, the
//! greatest change first.

use std::collections::BTreeSet;

use serde::Serialize;

use super::Profile;

/// What a change means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It became worse.
    Worse,
    /// It became better.
    Better,
    /// It became another, which is neither.
    Different,
    /// It is the same.
    Same,
}

/// One figure of both profiles.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    /// What kind of figure: `program`, `lost cycles`, `phases`, `network`, `spikes`, `memories`.
    pub group: &'static str,
    /// What is compared.
    pub name: String,
    /// In which unit; empty for a plain number.
    pub unit: &'static str,
    /// In the first profile, where it has one.
    pub before: Option<f64>,
    /// In the second one.
    pub after: Option<f64>,
    /// See the module's contract.
    pub percent: Option<f64>,
    /// See the module's contract.
    pub verdict: Verdict,
}

/// Two profiles compared.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// The first profile's program.
    pub before: String,
    /// The second one's.
    pub after: String,
    /// Sorted as the module's contract says.
    pub changes: Vec<Change>,
    /// Why the two may not be comparable, as sentences.
    pub notes: Vec<String>,
}

impl Comparison {
    /// The changes of one verdict.
    pub fn of(&self, verdict: Verdict) -> impl Iterator<Item = &Change> {
        self.changes.iter().filter(move |change| change.verdict == verdict)
    }
}

/// Which direction is better.
#[derive(Clone, Copy)]
enum Good {
    Less,
    More,
    Neither,
}

/// Compares `after` with `before`.
pub fn compare(before: &Profile, after: &Profile) -> Comparison {
    let mut changes = Changes { before, after, found: Vec::new() };
    changes.program();
    changes.phases();
    changes.network();
    let mut found = changes.found;
    let size = |change: &Change| change.percent.map_or(f64::INFINITY, f64::abs);
    found.sort_by(|a, b| a.verdict.cmp(&b.verdict).then(size(b).total_cmp(&size(a))));
    Comparison {
        before: before.program.clone(),
        after: after.program.clone(),
        changes: found,
        notes: notes(before, after),
    }
}

fn notes(before: &Profile, after: &Profile) -> Vec<String> {
    let mut notes = Vec::new();
    if before.device != after.device {
        notes.push(format!("The machines differ: {}, and {}.", before.device, after.device));
    }
    if before.samples != after.samples {
        notes.push(format!("The first has {} samples, the second {}.", before.samples, after.samples));
    }
    if before.steps != after.steps {
        notes.push(format!("A sample of the first has {} steps, one of the second {}.", before.steps, after.steps));
    }
    notes
}

struct Changes<'a> {
    before: &'a Profile,
    after: &'a Profile,
    found: Vec<Change>,
}

impl Changes<'_> {
    fn note(
        &mut self,
        group: &'static str,
        name: impl Into<String>,
        unit: &'static str,
        good: Good,
        of: impl Fn(&Profile) -> Option<f64>,
    ) {
        let (before, after) = (of(self.before), of(self.after));
        if before.is_none() && after.is_none() {
            return;
        }
        let percent = match (before, after) {
            (Some(before), Some(after)) if before == after => Some(0.0),
            (Some(before), Some(after)) if before != 0.0 => Some(100.0 * (after - before) / before),
            _ => None,
        };
        let verdict = match (before, after, good) {
            (Some(before), Some(after), _) if before == after => Verdict::Same,
            (Some(before), Some(after), Good::Less) if after < before => Verdict::Better,
            (Some(before), Some(after), Good::More) if after > before => Verdict::Better,
            (Some(_), Some(_), Good::Less | Good::More) => Verdict::Worse,
            _ => Verdict::Different,
        };
        self.found.push(Change { group, name: name.into(), unit, before, after, percent, verdict });
    }

    fn program(&mut self) {
        let mean = |profile: &Profile, total| Some(profile.per_sample(total));
        self.note("program", "accuracy", "%", Good::More, |p| p.accuracy.map(|accuracy| 100.0 * accuracy.share()));
        self.note("program", "cycles per sample", "", Good::Less, |p| mean(p, p.cost.cycles));
        self.note("program", "instructions per sample", "", Good::Less, |p| mean(p, p.cost.instructions));
        self.note("program", "cycles per instruction", "", Good::Less, |p| Some(p.cost.cpi()));
        self.note("lost cycles", "all lost cycles per sample", "", Good::Less, |p| mean(p, p.cost.lost()));
        let causes = |profile: &Profile| profile.cost.stalls.keys().cloned().collect::<BTreeSet<_>>();
        for cause in &causes(self.before) | &causes(self.after) {
            self.note("lost cycles", format!("lost to {cause} per sample"), "", Good::Less, |p| {
                mean(p, p.cost.stalls.get(&cause).copied().unwrap_or(0))
            });
        }
        let moves = |profile: &Profile| profile.dma.transfers > 0;
        if moves(self.before) || moves(self.after) {
            self.note("program", "cycles of waiting for the DMA engine per sample", "", Good::Less, |p| {
                mean(p, p.dma.wait_cycles)
            });
            self.note("program", "bytes moved by the DMA engine per sample", "B", Good::Less, |p| mean(p, p.dma.bytes));
        }
        let memories = |profile: &Profile| profile.memories.iter().map(|m| m.memory.clone()).collect::<BTreeSet<_>>();
        for memory in &memories(self.before) | &memories(self.after) {
            self.note("memories", format!("{memory} used"), "B", Good::Less, |p| {
                let used = p.memories.iter().find(|other| other.memory == memory).map_or(0, |memory| memory.used);
                Some(used as f64)
            });
        }
    }

    fn phases(&mut self) {
        let names = |profile: &Profile| {
            profile.phases.iter().map(|phase| (phase.kind.clone(), phase.name.clone())).collect::<Vec<_>>()
        };
        let mut all = names(self.before);
        for name in names(self.after) {
            if !all.contains(&name) {
                all.push(name);
            }
        }
        all.dedup();
        for (kind, name) in all {
            self.note("phases", format!("{kind} {name}: cycles per sample"), "", Good::Less, |p| {
                let mut same = p.phases.iter().filter(|phase| (&phase.kind, &phase.name) == (&kind, &name)).peekable();
                same.peek()?;
                Some(p.per_sample(same.map(|phase| phase.cost.cycles).fold(0, u64::saturating_add)))
            });
        }
    }

    fn network(&mut self) {
        let mean = |profile: &Profile, total: Option<u64>| total.map(|total| profile.per_sample(total));
        let metrics = |profile: &Profile| profile.neurobench.clone();
        self.note("network", "effective synaptic operations per sample", "", Good::Less, |p| {
            mean(p, p.neurobench.as_ref()?.effective_acs)
        });
        self.note("network", "lanes spent on them per sample", "", Good::Less, |p| {
            mean(p, p.neurobench.as_ref()?.lanes)
        });
        self.note("network", "share of lanes that add something", "%", Good::More, |p| {
            let metrics = p.neurobench.as_ref()?;
            let lanes = metrics.lanes.filter(|lanes| *lanes > 0)?;
            Some(100.0 * metrics.effective_acs? as f64 / lanes as f64)
        });
        self.note("network", "dense synaptic operations per sample", "", Good::Less, |p| {
            mean(p, Some(p.neurobench.as_ref()?.dense))
        });
        self.note("network", "activation sparsity", "", Good::More, |p| metrics(p)?.activation_sparsity);
        self.note("network", "connection sparsity", "", Good::More, |p| Some(metrics(p)?.connection_sparsity));
        self.note("network", "footprint", "B", Good::Less, |p| Some(metrics(p)?.footprint as f64));
        let names = |profile: &Profile| {
            let names = profile.populations.iter().map(|one| (one.population.clone(), one.event.clone()));
            names.collect::<BTreeSet<_>>()
        };
        for (population, event) in &names(self.before) | &names(self.after) {
            let name = match &event {
                Some(event) => format!("{population}.{event}: spikes per sample"),
                None => format!("{population}: input spikes per sample"),
            };
            self.note("spikes", name, "", Good::Neither, |p| {
                let same = |one: &&super::PopulationSpikes| (&one.population, &one.event) == (&population, &event);
                mean(p, p.populations.iter().find(same)?.spikes)
            });
        }
    }
}
