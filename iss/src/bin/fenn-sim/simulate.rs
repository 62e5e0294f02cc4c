//! The run, with the observers that were asked for and no others.

use std::io::{self, BufWriter, Write};

use fenn_isa::image::Image;
use fenn_iss::observe::{BinaryTrace, Checker, Phases, Profiler, Stacks};
use fenn_iss::{Limits, Machine, Outcome, Statistics, Trace};

use crate::arguments::Arguments;
use crate::failure::{Failure, write_whole};
use crate::plan::{Form, Plan, is_stdout};

/// The observers that were asked for, besides traces.
pub(crate) struct Watch {
    pub(crate) statistics: Option<Statistics>,
    pub(crate) profiler: Option<Profiler>,
    pub(crate) stacks: Option<Stacks>,
    pub(crate) phases: Option<Phases>,
    pub(crate) checker: Option<Checker>,
}

impl Watch {
    pub(crate) fn new(arguments: &Arguments, plan: &Plan, image: &Image) -> Self {
        let folded = |form: Form| form == Form::Folded;
        let profiled = !plan.heatmaps.is_empty() || plan.hot.iter().any(|(form, _)| !folded(*form));
        Self {
            statistics: arguments.stats.then(Statistics::default),
            profiler: profiled.then(Profiler::new),
            stacks: plan.hot.iter().any(|(form, _)| folded(*form)).then(Stacks::new),
            phases: arguments.phases.then(|| Phases::of(image)),
            checker: arguments.check.then(|| Checker::new(image)),
        }
    }
}

/// Runs the program.
pub(crate) fn simulate(
    arguments: &Arguments,
    plan: &Plan,
    machine: &mut Machine,
    watch: &mut Watch,
    out: &mut impl Write,
) -> Result<Outcome, Failure> {
    let limits = Limits {
        instructions: arguments.max_instructions,
        cycles: arguments.max_cycles,
        breakpoints: &plan.breakpoints,
    };
    let mut outcome = None;
    // The inner result is the text's.
    let mut traced = |text: Option<&mut dyn Write>| -> Result<io::Result<()>, Failure> {
        let mut written = Ok(());
        match &arguments.trace_binary {
            None => (outcome, written) = watched(machine, limits, watch, text, None).0,
            Some(path) => write_whole(path, |file| {
                let (others, binary) = watched(machine, limits, watch, text, Some(file));
                (outcome, written) = others;
                binary
            })?,
        }
        Ok(written)
    };
    match &arguments.trace {
        None => traced(None)??,
        Some(path) if is_stdout(path) => traced(Some(out))??,
        Some(path) => {
            let mut failed = None;
            let written = write_whole(path, |file| match traced(Some(file)) {
                Ok(written) => written,
                Err(failure) => {
                    failed = Some(failure);
                    Err(io::Error::other("the other trace could not be written"))
                }
            });
            failed.map_or(Ok(()), Err)?;
            written?;
        }
    }
    Ok(outcome.expect("the program has been run"))
}

/// What the run came to, and whether the traces could be written: text, then bytes.
type Watched = ((Option<Outcome>, io::Result<()>), io::Result<()>);

fn watched(
    machine: &mut Machine,
    limits: Limits<'_>,
    watch: &mut Watch,
    text: Option<&mut dyn Write>,
    binary: Option<&mut dyn Write>,
) -> Watched {
    let Watch { statistics, profiler, stacks, phases, checker } = watch;
    if text.is_none()
        && binary.is_none()
        && profiler.is_none()
        && stacks.is_none()
        && phases.is_none()
        && checker.is_none()
    {
        let outcome = match statistics {
            Some(statistics) => machine.run(limits, statistics),
            None => machine.run(limits, &mut ()),
        };
        return ((Some(outcome), Ok(())), Ok(()));
    }
    let text = text.map(|out| Trace::new(BufWriter::new(out)));
    let binary = binary.map(|out| BinaryTrace::new(BufWriter::new(out)));
    let mut observers = ((text, binary), (statistics, (profiler, (stacks, (phases, checker)))));
    let outcome = machine.run(limits, &mut observers);
    let (text, binary) = observers.0;
    let text = text.map_or(Ok(()), |trace| trace.finish().map(drop));
    ((Some(outcome), text), binary.map_or(Ok(()), |trace| trace.finish().map(drop)))
}
