//! The tables of a description to a network.
//!
//! Invariant: what cannot be built has been reported, and whatever refers to it is passed over in silence, so that one
//! mistake gives one diagnostic.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::codes::{Opened, Reader, Wanted, content_offset};
use super::connect::{self, Described, Ends};
use super::table::{At, Fields, Value, did_you_mean, list, string, wrong_type};
use super::{Options, Remarks};
use crate::checkpoint::Checkpoint;
use crate::diagnostic::{Diagnostic, Severity, Source as Text};
use crate::equation::{self, Declarations, parse_type};
use crate::kernel::{Kernel, Rounding, Slot, Type};
use crate::network::{
    Encoding, Input, Network, Output, Phase, Population, Projection, Quantity, Readout, Recording, Source, StatePolicy,
    Values, Variable, Window,
};

/// More neurons than the vector memory of any machine could hold the state of.
const MOST_NEURONS: i64 = 1 << 20;
/// Keeps sizes of arrays of steps within 64 bits.
const MOST_STEPS: i64 = i32::MAX as i64;

/// What a name of an input or a population means.
#[derive(Debug, Clone, Copy)]
enum Group {
    Input(usize),
    Population(usize),
    /// Declared, but wrong in a way that has been reported.
    Broken,
}

pub(super) struct Builder<'a> {
    pub(super) reader: Reader<'a>,
    /// Problems of texts other than the TOML file.
    pub(super) foreign: Remarks,
    groups: BTreeMap<String, Group>,
    /// (population, variable) whose type is wrong; nothing is said about weights for them.
    untyped: BTreeSet<(usize, usize)>,
    language: equation::Options,
    pub(super) network: Network,
}

impl<'a> Builder<'a> {
    pub(super) fn new(reader: Reader<'a>) -> Self {
        let network = Network {
            name: String::new(),
            time_step_ms: None,
            steps: 1,
            state: StatePolicy::Reset,
            seed: 1,
            inputs: Vec::new(),
            populations: Vec::new(),
            projections: Vec::new(),
            schedule: Vec::new(),
            outputs: Vec::new(),
            recordings: Vec::new(),
        };
        let language = equation::Options::default();
        Self {
            reader,
            foreign: Remarks::default(),
            groups: BTreeMap::new(),
            untyped: BTreeSet::new(),
            language,
            network,
        }
    }

    fn report(&mut self, problem: Diagnostic) {
        self.reader.problems.push(problem);
    }

    /// Reads the whole file.
    pub(super) fn file(&mut self, table: &'a DeTable<'a>, options: &Options) {
        let mut top = Fields::new(table, 0..0, "the description");
        self.settings(&mut top, options);
        self.reader.constants = self.constants();
        let checkpoint = top.get("checkpoint");
        self.checkpoint(checkpoint, options);
        let inputs = top.tables("input", &mut self.reader.problems);
        let populations = top.tables("population", &mut self.reader.problems);
        let projections = top.tables("projection", &mut self.reader.problems);
        let outputs = top.tables("output", &mut self.reader.problems);
        let records = top.tables("record", &mut self.reader.problems);
        let schedule = top.get("schedule");
        top.finish(&mut self.reader.problems);
        inputs.into_iter().for_each(|input| self.input(input));
        populations.into_iter().for_each(|population| self.population(population));
        let all_projections = projections.len();
        projections.into_iter().for_each(|projection| self.projection(projection));
        let whole = self.network.projections.len() == all_projections
            && !self.groups.values().any(|group| matches!(group, Group::Broken));
        match schedule {
            Some(schedule) => self.schedule(schedule, whole),
            None => {
                let projections = (0..self.network.projections.len()).map(Phase::Propagate);
                let updates = (0..self.network.populations.len()).map(Phase::Update);
                self.network.schedule = projections.chain(updates).collect();
            }
        }
        outputs.into_iter().for_each(|output| self.output(output));
        records.into_iter().for_each(|record| self.record(record));
    }

    /// The keys before the first table.
    fn settings(&mut self, top: &mut Fields<'a, 'a>, options: &Options) {
        let problems = &mut self.reader.problems;
        if let Some(name) = top.require("name") {
            self.network.name = string(name, "`name`", problems).map(|name| name.value.to_owned()).unwrap_or_default();
        }
        if let Some(step) = top.real("time_step_ms", problems) {
            if step.value <= 0.0 {
                problems.push(Diagnostic::error("`time_step_ms` must be positive").at(step.span, "no length of time"));
            }
            self.network.time_step_ms = Some(step.value);
        }
        if top.require("steps").is_some()
            && let Some(steps) = top.integer("steps", 1..=MOST_STEPS, problems)
        {
            self.network.steps = steps.value as u32;
        }
        self.network.steps = options.steps.unwrap_or(self.network.steps);
        if let Some(seed) = top.integer("seed", 0..=i64::MAX, problems) {
            self.network.seed = seed.value as u64;
        }
        self.network.seed = options.seed.unwrap_or(self.network.seed);
        self.reader.seed = self.network.seed;
        let states = [("reset", StatePolicy::Reset), ("carried", StatePolicy::Carried)];
        if let Some(state) = top.choice("state", &states, problems) {
            self.network.state = state.value;
        }
        if let Some(dialect) = top.choice("dialect", &[("standard", false), ("published", true)], problems) {
            self.language.published = dialect.value;
        }
        let roundings =
            [("nearest", Rounding::Nearest), ("zero", Rounding::Zero), ("stochastic", Rounding::Stochastic)];
        if let Some(rounding) = top.choice("rounding", &roundings, problems) {
            self.language.rounding = rounding.value;
        }
    }

    /// The directory of trained arrays, of the command line or of the description.
    fn checkpoint(&mut self, value: Option<&'a Value<'a>>, options: &Options) {
        let mut directory = options.checkpoint.clone();
        let (mut prefix, mut span) = (None, None);
        if let Some(value) = value {
            let Some(mut fields) = Fields::of(value, "`checkpoint`", &mut self.reader.problems) else { return };
            let stated = fields.string("directory", &mut self.reader.problems);
            prefix = fields.string("prefix", &mut self.reader.problems).map(|prefix| prefix.value);
            span = Some(value.span());
            match stated {
                Some(At { value, span }) if directory.is_none() => directory = self.reader.path(value, span),
                None if directory.is_none() && fields.get("directory").is_none() => {
                    let problem = Diagnostic::error("which directory the checkpoint is in is not stated");
                    let problem = problem.at(fields.span(), "`directory` is missing here");
                    self.report(problem.help(
                        "add it, or name the directory on the command line: fenn-cc DIRECTORY --architecture FILE",
                    ));
                }
                _ => {}
            }
            fields.finish(&mut self.reader.problems);
        }
        let Some(directory) = directory else {
            // What is wrong with it has been said; nothing that refers to it is.
            self.reader.checkpoint = value.map(|_| Opened::Broken);
            return;
        };
        self.reader.checkpoint = Some(match Checkpoint::open(&directory, prefix) {
            Ok(checkpoint) => Opened::Good { checkpoint, used: BTreeSet::new() },
            Err(error) => {
                let problem = Diagnostic::error(error.to_string());
                self.report(span.into_iter().fold(problem, |problem, span| problem.at(span, "this checkpoint")));
                Opened::Broken
            }
        });
    }

    /// The numbers that expressions may name.
    fn constants(&self) -> Vec<(&'static str, f64)> {
        let dt = self.network.time_step_ms.map(|dt| ("dt", dt));
        let always = [("steps", f64::from(self.network.steps)), ("pi", std::f64::consts::PI)];
        dt.into_iter().chain(always).collect()
    }

    /// The name of an input or a population; `None` if there is none or it is taken.
    fn group_name(&mut self, fields: &mut Fields<'a, 'a>) -> Option<At<String>> {
        let name = self.name(fields)?;
        if self.groups.contains_key(&name.value) {
            let message = format!("the name `{}` is taken already", name.value);
            let problem = Diagnostic::error(message).at(name.span.clone(), "again");
            self.report(problem.help("inputs and populations have different names"));
            return None;
        }
        self.groups.insert(name.value.clone(), Group::Broken);
        Some(name)
    }

    fn name(&mut self, fields: &mut Fields<'a, 'a>) -> Option<At<String>> {
        fields.require("name")?;
        let At { value, span } = fields.string("name", &mut self.reader.problems)?;
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if value.is_empty() || !value.chars().all(word) {
            let problem = Diagnostic::error(format!("`{value}` is no name")).at(span, "this name");
            self.report(problem.help("names consist of letters, digits, `_` and `-`"));
            return None;
        }
        Some(At { value: value.to_owned(), span })
    }

    fn size(&mut self, fields: &mut Fields<'a, 'a>) -> Option<u32> {
        fields.require("size")?;
        let size = fields.integer("size", 1..=MOST_NEURONS, &mut self.reader.problems)?;
        u32::try_from(size.value).ok()
    }

    fn input(&mut self, value: &'a Value<'a>) {
        let Some(mut fields) = Fields::of(value, "this input", &mut self.reader.problems) else { return };
        let name = self.group_name(&mut fields);
        let size = self.size(&mut fields);
        let encoding = match fields.get("encoding") {
            None => Some(Encoding::Spikes),
            Some(encoding) => self.encoding(encoding),
        };
        fields.finish(&mut self.reader.problems);
        if let (Some(name), Some(size), Some(encoding)) = (name, size, encoding) {
            self.groups.insert(name.value.clone(), Group::Input(self.network.inputs.len()));
            self.network.inputs.push(Input { name: name.value, size, encoding });
        }
    }

    fn encoding(&mut self, value: &'a Value<'a>) -> Option<Encoding> {
        let problems = &mut self.reader.problems;
        let mut fields = Fields::of(value, "the encoding", problems)?;
        fields.require("kind");
        let latency = fields.choice("kind", &[("spikes", false), ("latency", true)], problems);
        let encoding = match latency {
            None => {
                // Not to be called unknown.
                for key in ["tau", "threshold"] {
                    fields.get(key);
                }
                None
            }
            Some(At { value: false, .. }) => Some(Encoding::Spikes),
            Some(At { value: true, .. }) => latency_code(&mut fields, problems),
        };
        fields.finish(problems);
        encoding
    }

    fn population(&mut self, value: &'a Value<'a>) {
        let Some(mut fields) = Fields::of(value, "this population", &mut self.reader.problems) else { return };
        let name = self.group_name(&mut fields);
        let size = self.size(&mut fields);
        let variables = fields.get("variables");
        let parameters = fields.get("parameters");
        let events = fields.get("events");
        let equations = fields.require("equations");
        let reset = fields.boolean("reset", &mut self.reader.problems).is_some_and(|reset| reset.value);
        fields.finish(&mut self.reader.problems);
        let (Some(name), Some(size)) = (name, size) else { return };

        let mut declarations = Declarations::default();
        let mut initial = Vec::new();
        let mut all_typed = true;
        for (index, (key, value)) in self.named("variables", variables).into_iter().enumerate() {
            let (ty, variable) = self.variable(key.value, value, &name.value, size, reset);
            if ty.is_none() {
                all_typed = false;
                self.untyped.insert((self.network.populations.len(), index));
            }
            declarations.variables.push((key.value.to_owned(), ty.unwrap_or(Type::INT)));
            initial.push(variable);
        }
        let mut constants = Vec::new();
        for (key, value) in self.named("parameters", parameters) {
            let (ty, values) = self.parameter(key.value, value, &name.value, size);
            all_typed &= ty.is_some();
            declarations.parameters.push((key.value.to_owned(), ty.unwrap_or(Type::INT)));
            constants.push(values);
        }
        declarations.events = self.events(events);
        let equations = equations.filter(|_| all_typed);
        let kernel = equations.and_then(|equations| self.equations(equations, &name.value, &declarations));
        // An empty program stands for a wrong one, so that what refers to its variables can be checked.
        let kernel = kernel.unwrap_or_else(|| declared(&declarations));
        self.groups.insert(name.value.clone(), Group::Population(self.network.populations.len()));
        let population = Population { name: name.value, size, kernel, variables: initial, parameters: constants };
        self.network.populations.push(population);
    }

    /// The entries of `variables` or `parameters`.
    fn named(&mut self, what: &str, value: Option<&'a Value<'a>>) -> Vec<(At<&'a str>, &'a Value<'a>)> {
        let Some(value) = value else { return Vec::new() };
        let Some(fields) = Fields::of(value, format!("`{what}`"), &mut self.reader.problems) else { return Vec::new() };
        fields.entries()
    }

    /// The type of a slot; `None` has been reported.
    fn slot_type(&mut self, fields: &mut Fields<'a, 'a>) -> Option<Type> {
        fields.require("type")?;
        let At { value, span } = fields.string("type", &mut self.reader.problems)?;
        let ty = parse_type(value);
        if ty.is_none() {
            let problem = Diagnostic::error(format!("`{value}` is no type")).at(span, "this type");
            self.report(
                problem.help("types are sX_Y_t and sX_Y_sat_t with X + Y = 15, such as s5_10_sat_t, and int16_t"),
            );
        }
        ty
    }

    /// `reset` is what the population says of all its variables.
    fn variable(
        &mut self,
        key: &str,
        value: &'a Value<'a>,
        population: &str,
        size: u32,
        reset: bool,
    ) -> (Option<Type>, Variable) {
        let always = self.network.state == StatePolicy::Reset;
        let mut variable = Variable { initial: Values::Uniform(0), reset: always || reset };
        let what = format!("variable `{population}.{key}`");
        let Some(mut fields) = Fields::of(value, what, &mut self.reader.problems) else { return (None, variable) };
        let ty = self.slot_type(&mut fields);
        let initial = fields.get("initial");
        if let (Some(initial), Some(ty)) = (initial, ty) {
            let (what, stream) = (fields.what(), &format!("population {population}, variable {key}"));
            let wanted = Wanted { what, stream, ty, rows: 1, columns: size as usize, axes: &[] };
            variable.initial = self.reader.values(initial, &wanted).map_or(variable.initial, Into::into);
        }
        if let Some(reset) = fields.boolean("reset", &mut self.reader.problems) {
            variable.reset = reset.value;
            if always && !reset.value {
                let message = format!("{} is carried from run to run, but the network's state is reset", fields.what());
                let problem = Diagnostic::error(message).at(reset.span, "not reset");
                self.report(problem.help("leave `reset` out, or write state = \"carried\" at the top of the file"));
            }
        }
        fields.finish(&mut self.reader.problems);
        (ty, variable)
    }

    fn parameter(&mut self, key: &str, value: &'a Value<'a>, population: &str, size: u32) -> (Option<Type>, Values) {
        let what = format!("parameter `{population}.{key}`");
        let nothing = Values::Uniform(0);
        let Some(mut fields) = Fields::of(value, what, &mut self.reader.problems) else { return (None, nothing) };
        let ty = self.slot_type(&mut fields);
        let number = fields.require("value");
        let mut values = None;
        if let (Some(number), Some(ty)) = (number, ty) {
            let (what, stream) = (fields.what(), &format!("population {population}, parameter {key}"));
            let wanted = Wanted { what, stream, ty, rows: 1, columns: size as usize, axes: &[] };
            values = self.reader.values(number, &wanted).map(Into::into);
        }
        fields.finish(&mut self.reader.problems);
        (ty, values.unwrap_or(nothing))
    }

    fn events(&mut self, value: Option<&'a Value<'a>>) -> Vec<String> {
        let Some(value) = value else { return Vec::new() };
        let DeValue::Array(array) = value.get_ref() else {
            self.report(wrong_type("`events`", "a list of names", value.get_ref(), value.span()));
            return Vec::new();
        };
        let names = array.iter().filter_map(|name| string(name, "an event", &mut self.reader.problems));
        names.map(|name| name.value.to_owned()).collect()
    }

    /// The program of a population, inline or in a file; `None` has been reported.
    fn equations(&mut self, value: &'a Value<'a>, population: &str, declarations: &Declarations) -> Option<Kernel> {
        if let DeValue::Table(_) = value.get_ref() {
            let mut fields = Fields::of(value, "`equations`", &mut self.reader.problems)?;
            fields.require("file");
            let file = fields.string("file", &mut self.reader.problems);
            fields.finish(&mut self.reader.problems);
            let file = file?;
            let path = self.reader.path(file.value, file.span.clone())?;
            return match std::fs::read_to_string(&path) {
                Ok(text) => self.program(&path.display().to_string(), text, declarations),
                Err(error) => {
                    let message = format!("cannot read {}: {error}", path.display());
                    self.report(Diagnostic::error(message).at(file.span, "this file"));
                    None
                }
            };
        }
        let At { value: text, span } = string(value, "`equations`", &mut self.reader.problems)?;
        let Some(offset) = content_offset(self.reader.text, span, text) else {
            // Escapes make the program differ from what the file shows.
            return self.program(&format!("population {population}, equations"), text.to_owned(), declarations);
        };
        let source = Text { name: "equations", text };
        let (kernel, mut problems) = split(equation::compile(&source, declarations, &self.language));
        for label in problems.iter_mut().flat_map(|problem| &mut problem.labels) {
            label.span = label.span.start + offset..label.span.end + offset;
        }
        self.reader.problems.append(&mut problems);
        kernel
    }

    fn program(&mut self, name: &str, text: String, declarations: &Declarations) -> Option<Kernel> {
        let source = Text { name, text: &text };
        let (kernel, problems) = split(equation::compile(&source, declarations, &self.language));
        self.foreign.add(name, text, problems);
        kernel
    }

    fn projection(&mut self, value: &'a Value<'a>) {
        let Some(mut fields) = Fields::of(value, "this projection", &mut self.reader.problems) else { return };
        let name = self.name(&mut fields);
        let ends = ["source", "target"].map(|key| {
            fields.require(key)?;
            fields.string(key, &mut self.reader.problems)
        });
        let trained = fields.string("checkpoint", &mut self.reader.problems);
        let weights = if trained.is_some() { fields.get("weights") } else { fields.require("weights") };
        let (connectivity, delays) = (fields.get("connectivity"), fields.get("delays"));
        fields.finish(&mut self.reader.problems);
        let [source, target] = ends;
        let source = source.and_then(|source| self.source(&source));
        let target = target.and_then(|target| self.target(&target));
        let (Some(name), Some(source), Some((target, variable))) = (name, source, target) else { return };
        if trained.is_none() && weights.is_none() {
            return;
        }
        if self.network.projections.iter().any(|other| other.name == name.value) {
            let message = format!("the name `{}` is taken already", name.value);
            self.report(Diagnostic::error(message).at(name.span, "again").help("projections have different names"));
            return;
        }
        if self.untyped.contains(&(target, variable)) {
            return;
        }
        let size = self.network.populations[target].size;
        let ends = Ends {
            name: &name.value,
            sources: self.network.source_size(source),
            targets: size,
            ty: self.network.populations[target].kernel.variables[variable].ty,
            same: matches!(source, Source::Events { population, .. } if population == target),
        };
        let synapses = Described { trained, connectivity, weights, delays, place: value.span() };
        if let Some((weights, delays)) = connect::synapses(&mut self.reader, &ends, &synapses) {
            let name = name.value;
            self.network.projections.push(Projection { name, source, target, variable, weights, delays });
        }
    }

    /// `input`, or `population.Event`.
    fn source(&mut self, at: &At<&str>) -> Option<Source> {
        let (group, event) = at.value.split_once('.').map_or((at.value, None), |(group, event)| (group, Some(event)));
        match (self.group(group, at.span.clone())?, event) {
            (Group::Input(index), None) => Some(Source::Input(index)),
            (Group::Input(_), Some(event)) => {
                let problem = Diagnostic::error(format!("the input `{group}` has no events, such as `{event}`"));
                self.report(problem.at(at.span.clone(), "this source").help(format!("write \"{group}\"")));
                None
            }
            (Group::Population(population), Some(event)) => {
                let event = self.event(population, event, at.span.clone())?;
                Some(Source::Events { population, event })
            }
            (Group::Population(population), None) => {
                let kernel = &self.network.populations[population].kernel;
                let event = kernel.events.first().map_or("Spike", String::as_str);
                let help = format!("write \"{group}.{event}\"");
                let problem = Diagnostic::error(format!("which event of the population `{group}` is not stated"));
                self.report(problem.at(at.span.clone(), "this source").help(help));
                None
            }
            (Group::Broken, _) => None,
        }
    }

    /// `population.variable`.
    fn target(&mut self, at: &At<&str>) -> Option<(usize, usize)> {
        let Some((group, variable)) = at.value.split_once('.') else {
            let problem =
                Diagnostic::error(format!("`{}` names no variable", at.value)).at(at.span.clone(), "this target");
            self.report(problem.help(format!("write \"{}.I\", if `I` is where its input goes", at.value)));
            return None;
        };
        match self.group(group, at.span.clone())? {
            Group::Population(population) => {
                let variable = self.variable_index(population, variable, at.span.clone())?;
                Some((population, variable))
            }
            Group::Input(_) => {
                let problem = Diagnostic::error(format!("`{group}` is an input; nothing can be projected to it"));
                self.report(problem.at(at.span.clone(), "this target"));
                None
            }
            Group::Broken => None,
        }
    }

    fn group(&mut self, name: &str, span: Range<usize>) -> Option<Group> {
        let group = self.groups.get(name).copied();
        if group.is_none() {
            let names: Vec<&str> = self.groups.keys().map(String::as_str).collect();
            let all = format!("there are {}", list(&names));
            let help = did_you_mean(name, names.iter().copied(), &all);
            let problem = Diagnostic::error(format!("there is no input or population `{name}`"));
            self.report(problem.at(span, "unknown name").help(help));
        }
        group
    }

    fn event(&mut self, population: usize, name: &str, span: Range<usize>) -> Option<usize> {
        let population = &self.network.populations[population];
        let found = population.kernel.events.iter().position(|event| event == name);
        if found.is_none() {
            let names: Vec<&str> = population.kernel.events.iter().map(String::as_str).collect();
            let help = did_you_mean(name, names.iter().copied(), &format!("its events are {}", list(&names)));
            let problem = Diagnostic::error(format!("the population `{}` has no event `{name}`", population.name));
            self.reader.problems.push(problem.at(span, "unknown event").help(help));
        }
        found
    }

    fn variable_index(&mut self, population: usize, name: &str, span: Range<usize>) -> Option<usize> {
        let population = &self.network.populations[population];
        let found = population.kernel.variables.iter().position(|slot| slot.name == name);
        if found.is_none() {
            let names: Vec<&str> = population.kernel.variables.iter().map(|slot| slot.name.as_str()).collect();
            let help = did_you_mean(name, names.iter().copied(), &format!("its variables are {}", list(&names)));
            let problem = Diagnostic::error(format!("the population `{}` has no variable `{name}`", population.name));
            self.reader.problems.push(problem.at(span, "unknown variable").help(help));
        }
        found
    }

    /// `whole`: whether everything that could be scheduled was understood.
    fn schedule(&mut self, value: &'a Value<'a>, whole: bool) {
        let DeValue::Array(array) = value.get_ref() else {
            self.report(wrong_type("`schedule`", "a list of names", value.get_ref(), value.span()));
            return;
        };
        let mut known: BTreeMap<String, Vec<Phase>> = BTreeMap::new();
        let network = &self.network;
        let projections = network.projections.iter().map(|projection| &projection.name);
        let populations = network.populations.iter().map(|population| &population.name);
        let phases = projections.enumerate().map(|(index, name)| (name, Phase::Propagate(index)));
        for (name, phase) in phases.chain(populations.enumerate().map(|(index, name)| (name, Phase::Update(index)))) {
            known.entry(name.clone()).or_default().push(phase);
        }
        let mut schedule: Vec<Phase> = Vec::new();
        for entry in array.iter() {
            let Some(At { value: name, span }) = string(entry, "a part of the schedule", &mut self.reader.problems)
            else {
                continue;
            };
            match known.get(name).map(Vec::as_slice) {
                Some([phase]) if schedule.contains(phase) => {
                    let problem = Diagnostic::error(format!("`{name}` is in the schedule twice"));
                    self.report(problem.at(span, "again").help("everything happens once in a step"));
                }
                Some([phase]) => schedule.push(*phase),
                Some(_) => {
                    let problem = Diagnostic::error(format!("`{name}` is both a projection and a population"));
                    self.report(problem.at(span, "which?").help("rename one of them"));
                }
                None if whole => {
                    let names: Vec<&str> = known.keys().map(String::as_str).collect();
                    let all = format!("there are {}", list(&names));
                    let help = did_you_mean(name, names.iter().copied(), &all);
                    let problem = Diagnostic::error(format!("there is no projection or population `{name}`"));
                    self.report(problem.at(span, "unknown name").help(help));
                }
                None => {}
            }
        }
        let missing = |(_, phases): &(&String, &Vec<Phase>)| phases.len() == 1 && !schedule.contains(&phases[0]);
        let missing: Vec<&str> = known.iter().filter(missing).map(|(name, _)| name.as_str()).collect();
        if whole && !missing.is_empty() {
            let problem = Diagnostic::error(format!("{} missing from the schedule", are(&missing)));
            self.report(problem.at(value.span(), "this schedule").help("everything happens once in a step"));
        }
        self.network.schedule = schedule;
    }

    fn output(&mut self, value: &'a Value<'a>) {
        let Some(mut fields) = Fields::of(value, "this output", &mut self.reader.problems) else { return };
        let choices =
            [("last", Readout::Last), ("mean", Readout::Mean), ("max", Readout::Max), ("count", Readout::Count)];
        let readout = fields.choice("readout", &choices, &mut self.reader.problems);
        let broken = readout.is_none() && fields.get("readout").is_some();
        let quantity = self.quantity(&mut fields);
        fields.finish(&mut self.reader.problems);
        let Some((population, quantity)) = quantity else { return };
        let counted = matches!(quantity, Quantity::Event(_));
        let by_default = if counted { Readout::Count } else { Readout::Last };
        match readout {
            Some(At { value: readout, span }) if counted != (readout == Readout::Count) => {
                let problem = Diagnostic::error("events are read out by count, and variables are not");
                self.report(problem.at(span, "does not suit").help("variables are read out by last, mean or max"));
            }
            None if broken => {}
            readout => {
                let readout = readout.map_or(by_default, |readout| readout.value);
                self.network.outputs.push(Output { population, quantity, readout });
            }
        }
    }

    fn record(&mut self, value: &'a Value<'a>) {
        let Some(mut fields) = Fields::of(value, "this record", &mut self.reader.problems) else { return };
        let quantity = self.quantity(&mut fields);
        let window = self.window(&mut fields);
        fields.finish(&mut self.reader.problems);
        let Some((population, quantity)) = quantity else { return };
        let recording = Recording { population, quantity, window };
        let already = |other: &Recording| (other.population, other.quantity) == (population, quantity);
        if self.network.recordings.iter().any(already) {
            self.report(Diagnostic::error("this is recorded already").at(value.span(), "again").help("once suffices"));
            return;
        }
        self.network.recordings.push(recording);
    }

    /// `from` and `every`, or `last`.
    fn window(&mut self, fields: &mut Fields<'a, 'a>) -> Window {
        let (problems, steps) = (&mut self.reader.problems, i64::from(self.network.steps));
        let from = fields.integer("from", 0..=steps - 1, problems);
        let every = fields.integer("every", 1..=steps, problems);
        let last = fields.integer("last", 1..=steps, problems);
        if let (Some(last), true) = (&last, from.is_some() || every.is_some()) {
            let problem = Diagnostic::error("the steps to keep are stated twice").at(last.span.clone(), "and here");
            self.report(problem.help("write `from` and `every`, or `last`"));
        }
        // Within the run's steps, which are 32 bits.
        let number = |field: Option<At<i64>>, otherwise| field.map_or(otherwise, |field| field.value as u32);
        match last {
            Some(last) => Window::last(last.value as u32, self.network.steps),
            None => Window { from: number(from, 0), every: number(every, 1) },
        }
    }

    /// `population` with `variable` or `event`.
    fn quantity(&mut self, fields: &mut Fields<'a, 'a>) -> Option<(usize, Quantity)> {
        let problems = &mut self.reader.problems;
        fields.require("population");
        let population = fields.string("population", problems);
        let (variable, event) = (fields.get("variable"), fields.get("event"));
        if variable.is_some() == event.is_some() {
            let message = format!("{} needs either `variable` or `event`", fields.what());
            problems.push(Diagnostic::error(message).at(fields.span(), "one of the two"));
            return None;
        }
        let population = population?;
        let index = match self.group(population.value, population.span.clone())? {
            Group::Population(index) => index,
            Group::Broken => return None,
            Group::Input(_) => {
                let problem = Diagnostic::error(format!("`{}` is an input, not a population", population.value));
                self.report(problem.at(population.span, "this name"));
                return None;
            }
        };
        let quantity = match (variable, event) {
            (Some(variable), _) => {
                let At { value, span } = string(variable, "`variable`", &mut self.reader.problems)?;
                Quantity::Variable(self.variable_index(index, value, span)?)
            }
            (None, event) => {
                let At { value, span } = string(event?, "`event`", &mut self.reader.problems)?;
                Quantity::Event(self.event(index, value, span)?)
            }
        };
        Some((index, quantity))
    }
}

/// The numbers of a latency code.
fn latency_code(fields: &mut Fields<'_, '_>, problems: &mut Vec<Diagnostic>) -> Option<Encoding> {
    let [tau, threshold] = ["tau", "threshold"].map(|key| {
        fields.require(key)?;
        fields.real(key, problems)
    });
    let (tau, threshold) = tau.zip(threshold)?;
    let rules = [(&tau, tau.value > 0.0, "positive"), (&threshold, threshold.value >= 0.0, "at least 0")];
    for (number, _, rule) in rules.iter().filter(|(_, good, _)| !good) {
        let problem = Diagnostic::error(format!("a latency code needs this to be {rule}"));
        problems.push(problem.at(number.span.clone(), "this number"));
    }
    Some(Encoding::Latency { tau: tau.value, threshold: threshold.value })
}

/// "`a` is" or "`a` and `b` are".
fn are(names: &[&str]) -> String {
    format!("{} {}", list(names), if names.len() == 1 { "is" } else { "are" })
}

fn split(compiled: Result<(Kernel, Vec<Diagnostic>), Vec<Diagnostic>>) -> (Option<Kernel>, Vec<Diagnostic>) {
    match compiled {
        Ok((kernel, warnings)) => (Some(kernel), warnings),
        Err(problems) => {
            debug_assert!(problems.iter().any(|problem| problem.severity == Severity::Error));
            (None, problems)
        }
    }
}

fn declared(declarations: &Declarations) -> Kernel {
    let slots =
        |slots: &[(String, Type)]| slots.iter().map(|(name, ty)| Slot { name: name.clone(), ty: *ty }).collect();
    Kernel {
        variables: slots(&declarations.variables),
        parameters: slots(&declarations.parameters),
        events: declarations.events.clone(),
        ..Kernel::default()
    }
}
