//! The synapses of a projection: `connectivity`, `weights` and `delays` of a description.
//!
//! Contract: [`synapses`] gives weights and delays that [`crate::verify`] accepts, in its order (by source, then by target), or
//! has reported why not. Lists that come with their own pairs of neurons may be in any order; weights and delays follow it.

use std::ops::Range;

use toml::de::DeValue;

use super::codes::{Limit, Numbered, Reader, Wanted};
use super::random::Stream;
use super::rules::{Pairs, Rows, Rule, order, starts};
use super::table::{At, Fields, Value, string, wrong_type};
use crate::diagnostic::Diagnostic;
use crate::kernel::Type;
use crate::network::{Convolution, Delays, Sparse, Weights};

/// What a projection joins.
pub(super) struct Ends<'a> {
    /// Of the projection.
    pub(super) name: &'a str,
    pub(super) sources: u32,
    pub(super) targets: u32,
    /// Of the variable that the weights are added to.
    pub(super) ty: Type,
    /// Whether a population projects to itself.
    pub(super) same: bool,
}

/// What a description says of a projection's synapses.
pub(super) struct Described<'v> {
    /// The object of the checkpoint.
    pub(super) trained: Option<At<&'v str>>,
    pub(super) connectivity: Option<&'v Value<'v>>,
    /// There, unless they are trained.
    pub(super) weights: Option<&'v Value<'v>>,
    pub(super) delays: Option<&'v Value<'v>>,
    /// Of the projection.
    pub(super) place: Range<usize>,
}

/// Which neurons are joined.
enum Pattern {
    Dense,
    OneToOne,
    Sparse {
        rows: Rows,
        /// For each synapse its place in the lists that the description gives; `None`: they are in order.
        order: Option<Vec<u32>>,
    },
    /// Without its kernel.
    Convolution(Convolution),
}

/// The names of patterns.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Dense,
    OneToOne,
    Sparse,
    Convolution,
    Probability,
    Pre,
    Post,
    Total,
}

const KINDS: [(&str, Kind); 8] = [
    ("dense", Kind::Dense),
    ("one_to_one", Kind::OneToOne),
    ("sparse", Kind::Sparse),
    ("convolution", Kind::Convolution),
    ("fixed_probability", Kind::Probability),
    ("fixed_number_pre", Kind::Pre),
    ("fixed_number_post", Kind::Post),
    ("fixed_number_total", Kind::Total),
];

/// The most synapses of one projection, far beyond what a core gets through; more would only fill the host's memory.
const MOST_SYNAPSES: u64 = 1 << 28;

/// The weights and delays of a projection; `None` has been reported.
pub(super) fn synapses(
    reader: &mut Reader<'_>,
    ends: &Ends<'_>,
    described: &Described<'_>,
) -> Option<(Weights, Delays)> {
    let pattern = pattern(reader, ends, described)?;
    let (rows, columns) = match &pattern {
        Pattern::Dense => (ends.sources as usize, ends.targets as usize),
        Pattern::OneToOne => (1, ends.sources as usize),
        Pattern::Sparse { rows, .. } => (1, rows.targets.len()),
        Pattern::Convolution(convolution) => (1, kernel_shape(convolution).iter().product::<u64>() as usize),
    };
    let axes = match &pattern {
        Pattern::Convolution(convolution) => kernel_shape(convolution).to_vec(),
        _ => Vec::new(),
    };
    let place = described.place.clone();
    if rows as u64 * columns as u64 > MOST_SYNAPSES {
        let span = described.weights.map_or(described.place.clone(), Value::span);
        return too_many(reader, ends, &format!("{rows} × {columns}"), span);
    }
    let what = match &pattern {
        Pattern::Dense => format!("the weight matrix of `{}`", ends.name),
        Pattern::Convolution(_) => format!("the kernel of `{}`", ends.name),
        Pattern::OneToOne | Pattern::Sparse { .. } => format!("the weights of `{}`", ends.name),
    };
    let stream = format!("projection {}, weights", ends.name);
    let wanted = Wanted { what: &what, stream: &stream, ty: ends.ty, rows, columns, axes: &axes };
    let weights = match (&described.trained, described.weights) {
        (Some(At { value: object, span }), options) => {
            reader.trained_file(object, "g", span.clone()).and_then(|given| reader.trained(given, options, &wanted))
        }
        (None, Some(weights)) => reader.values(weights, &wanted),
        (None, None) => None,
    };
    let trained = described.trained.as_ref().filter(|object| reader.is_trained(object.value, "d")).is_some();
    let delays = match described.delays {
        None if !trained => Some(Delays::None),
        _ if matches!(pattern, Pattern::Convolution(_)) => {
            let uniform = |delays: &Delays| matches!(delays, Delays::None | Delays::Uniform(_));
            let delays = delays(reader, ends, described, (rows, columns), None);
            if delays.as_ref().is_some_and(|delays| !uniform(delays)) {
                let message = format!("the synapses of `{}` share a kernel and have one delay", ends.name);
                let problem = Diagnostic::error(message).at(place, "a delay per synapse");
                reader.problems.push(problem.help("write a single number of steps: delays = 3"));
            }
            delays.filter(uniform)
        }
        _ => delays(reader, ends, described, (rows, columns), pattern.order()),
    };
    let (weights, delays) = (weights?, delays?);
    let each = |codes: Numbered<i16>, order: Option<&[u32]>| match codes {
        Numbered::One(code) => vec![code; rows * columns],
        Numbered::Each(codes) => reordered(codes, order),
    };
    let weights = match pattern {
        Pattern::Dense => Weights::Dense(each(weights, None)),
        Pattern::OneToOne => Weights::OneToOne(each(weights, None)),
        Pattern::Sparse { rows, order } => {
            let weights = each(weights, order.as_deref());
            Weights::Sparse(Sparse { starts: rows.starts, targets: rows.targets, weights })
        }
        Pattern::Convolution(convolution) => {
            Weights::Convolution(Convolution { kernel: each(weights, None), ..convolution })
        }
    };
    Some((weights, delays))
}

impl Pattern {
    fn order(&self) -> Option<&[u32]> {
        match self {
            Self::Sparse { order, .. } => order.as_deref(),
            Self::Dense | Self::OneToOne | Self::Convolution(_) => None,
        }
    }
}

fn reordered<T: Copy>(listed: Vec<T>, order: Option<&[u32]>) -> Vec<T> {
    match order {
        None => listed,
        Some(order) => order.iter().map(|place| listed[*place as usize]).collect(),
    }
}

fn too_many<T>(reader: &mut Reader<'_>, ends: &Ends<'_>, how_many: &str, span: Range<usize>) -> Option<T> {
    let message = format!("`{}` has {how_many} synapses", ends.name);
    let problem = Diagnostic::error(message).at(span, "too many");
    let help = format!("there can be {MOST_SYNAPSES} in a projection; make the network smaller");
    reader.problems.push(problem.help(help));
    None
}

fn pattern(reader: &mut Reader<'_>, ends: &Ends<'_>, described: &Described<'_>) -> Option<Pattern> {
    let pairs = described
        .trained
        .as_ref()
        .filter(|object| ["pre_ind", "post_ind"].iter().any(|variable| reader.is_trained(object.value, variable)));
    let value = match (described.connectivity, pairs) {
        (None, None) => return Some(Pattern::Dense),
        (None, Some(object)) => return trained_pairs(reader, ends, object),
        (Some(value), None) => value,
        (Some(value), Some(object)) => {
            let message = format!("the checkpoint says which neurons `{}` joins", object.value);
            let problem = Diagnostic::error(message).at(value.span(), "this connectivity");
            reader.problems.push(problem.help("leave it out"));
            return None;
        }
    };
    if let DeValue::String(_) = value.get_ref() {
        let At { value: name, span } = string(value, "`connectivity`", &mut reader.problems)?;
        return match KINDS.iter().find(|(kind, _)| *kind == name) {
            Some((_, Kind::Dense)) => Some(Pattern::Dense),
            Some((_, Kind::OneToOne)) => one_to_one(reader, ends, span),
            Some(_) => {
                let message = format!("`{name}` needs more than its name");
                let help = format!("write connectivity = {{ kind = \"{name}\", … }}");
                reader.problems.push(Diagnostic::error(message).at(span, "this word").help(help));
                None
            }
            None => {
                let names = KINDS.map(|(name, _)| name);
                let all = format!("it is one of {}", super::table::list(&names));
                let help = super::table::did_you_mean(name, names, &all);
                let problem = Diagnostic::error(format!("`connectivity` cannot be `{name}`"));
                reader.problems.push(problem.at(span, "this word").help(help));
                None
            }
        };
    }
    let what = format!("the connectivity of `{}`", ends.name);
    let mut fields = Fields::of(value, what, &mut reader.problems)?;
    fields.require("kind");
    let Some(At { value: kind, span }) = fields.choice("kind", &KINDS, &mut reader.problems) else {
        fields.finish_unknown(&mut reader.problems);
        return None;
    };
    let pattern = match kind {
        Kind::Dense => Some(Pattern::Dense),
        Kind::OneToOne => one_to_one(reader, ends, span),
        Kind::Sparse => sparse(reader, ends, &mut fields),
        Kind::Convolution => convolution(reader, ends, &mut fields),
        Kind::Probability | Kind::Pre | Kind::Post | Kind::Total => rule(reader, ends, kind, &mut fields),
    };
    fields.finish(&mut reader.problems);
    pattern
}

fn one_to_one(reader: &mut Reader<'_>, ends: &Ends<'_>, span: Range<usize>) -> Option<Pattern> {
    if ends.sources != ends.targets {
        let message = format!(
            "`{}` joins {} neurons one to one to {}, which are not as many",
            ends.name, ends.sources, ends.targets
        );
        reader.problems.push(Diagnostic::error(message).at(span, "this connectivity"));
        return None;
    }
    Some(Pattern::OneToOne)
}

/// Rows after each other with their lengths, or pairs.
fn sparse(reader: &mut Reader<'_>, ends: &Ends<'_>, fields: &mut Fields<'_, '_>) -> Option<Pattern> {
    let [lengths, targets, pre, post] = ["lengths", "targets", "pre", "post"].map(|key| fields.get(key));
    let target_range = 0..=ends.targets - 1;
    match [lengths, targets, pre, post] {
        [Some(lengths), Some(targets), None, None] => {
            let at = lengths.span();
            let rows = Some(ends.sources as usize);
            let what = format!("the row lengths of `{}`", ends.name);
            let lengths = reader.neurons(lengths, &what, 0..=u32::MAX, rows, ends.sources.into());
            let what = format!("the targets of `{}`", ends.name);
            let targets = reader.neurons(targets, &what, target_range, None, MOST_SYNAPSES);
            let (lengths, targets) = (lengths?, targets?);
            let total: u64 = lengths.iter().map(|length| u64::from(*length)).sum();
            if total != targets.len() as u64 {
                let message = format!(
                    "the row lengths of `{}` add up to {total}, but there are {} targets",
                    ends.name,
                    targets.len()
                );
                reader.problems.push(Diagnostic::error(message).at(at, "these lengths"));
                return None;
            }
            let sources = (0..).zip(&lengths).flat_map(|(source, length)| (0..*length).map(move |_| source));
            Some(of_pairs(ends, &sources.zip(targets).collect::<Vec<_>>()))
        }
        [None, None, Some(pre), Some(post)] => {
            let at = post.span();
            let what = format!("the sources (pre) of `{}`", ends.name);
            let pre = reader.neurons(pre, &what, 0..=ends.sources - 1, None, MOST_SYNAPSES);
            let what = format!("the targets (post) of `{}`", ends.name);
            let post = reader.neurons(post, &what, target_range, None, MOST_SYNAPSES);
            let (pre, post) = (pre?, post?);
            if pre.len() != post.len() {
                let message =
                    format!("`{}` has {} sources, but {} targets, in pairs", ends.name, pre.len(), post.len());
                reader.problems.push(Diagnostic::error(message).at(at, "this list"));
                return None;
            }
            Some(of_pairs(ends, &pre.into_iter().zip(post).collect::<Vec<_>>()))
        }
        _ => {
            let message = format!("{} needs either `targets` and `lengths`, or `pre` and `post`", fields.what());
            reader.problems.push(Diagnostic::error(message).at(fields.span(), "this table"));
            None
        }
    }
}

/// The pairs of a trained sparse connection.
fn trained_pairs(reader: &mut Reader<'_>, ends: &Ends<'_>, object: &At<&str>) -> Option<Pattern> {
    let mut side = |variable: &str, count: u32| {
        let given = reader.trained_file(object.value, variable, object.span.clone())?;
        let what = format!("{variable} of `{}`", ends.name);
        reader.trained_neurons(given, &what, 0..=count - 1, MOST_SYNAPSES)
    };
    let (pre, post) = (side("pre_ind", ends.sources), side("post_ind", ends.targets));
    let (pre, post) = (pre?, post?);
    if pre.len() != post.len() {
        let message = format!("`{}` has {} sources, but {} targets, in pairs", ends.name, pre.len(), post.len());
        reader.problems.push(Diagnostic::error(message).at(object.span.clone(), "this connection"));
        return None;
    }
    Some(of_pairs(ends, &pre.into_iter().zip(post).collect::<Vec<_>>()))
}

fn of_pairs(ends: &Ends<'_>, pairs: &[(u32, u32)]) -> Pattern {
    if pairs.is_sorted() {
        let targets = pairs.iter().map(|(_, target)| *target).collect();
        return Pattern::Sparse { rows: Rows { starts: starts(ends.sources, pairs), targets }, order: None };
    }
    let order = order(ends.sources, pairs);
    let targets = order.iter().map(|place| pairs[*place as usize].1).collect();
    Pattern::Sparse { rows: Rows { starts: starts(ends.sources, pairs), targets }, order: Some(order) }
}

fn rule(reader: &mut Reader<'_>, ends: &Ends<'_>, kind: Kind, fields: &mut Fields<'_, '_>) -> Option<Pattern> {
    let (key, name) = match kind {
        Kind::Probability => ("probability", "fixed_probability"),
        Kind::Pre => ("number", "fixed_number_pre"),
        Kind::Post => ("number", "fixed_number_post"),
        _ => ("number", "fixed_number_total"),
    };
    let autapses = fields.boolean("autapses", &mut reader.problems);
    let replacement = match kind {
        Kind::Probability => None,
        _ => fields.boolean("replacement", &mut reader.problems),
    };
    let value = fields.require(key)?;
    let number = reader.real_number(value, &format!("`{key}`"))?;
    if let Some(At { value: false, span }) = &autapses
        && !ends.same
    {
        let message = format!("`{}` joins different neurons, so that there are no autapses to leave out", ends.name);
        reader.problems.push(Diagnostic::error(message).at(span.clone(), "for populations that project to themselves"));
        return None;
    }
    let pairs = Pairs {
        sources: ends.sources,
        targets: ends.targets,
        autapses: autapses.is_none_or(|autapses| autapses.value),
        replacement: replacement.is_none_or(|replacement| replacement.value),
    };
    let rule = match kind {
        Kind::Probability if (0.0..=1.0).contains(&number) => Rule::Probability(number),
        Kind::Probability => return refuse(reader, value, format!("a probability is from 0 to 1, not {number}")),
        _ if number.fract() != 0.0 || !(0.0..=f64::from(u32::MAX)).contains(&number) => {
            return refuse(reader, value, format!("{number} is no number of synapses"));
        }
        Kind::Pre => Rule::Pre(number as u32),
        Kind::Post => Rule::Post(number as u32),
        _ => Rule::Total(number as u32),
    };
    let expected = rule.synapses(pairs);
    if expected > MOST_SYNAPSES as f64 {
        return too_many(reader, ends, &format!("{expected:.0}"), value.span());
    }
    let choices = rule.choices(pairs);
    let short = if pairs.replacement { number > 0.0 && choices == 0 } else { number > choices as f64 };
    if kind != Kind::Probability && short {
        let problem = Diagnostic::error(format!("{number} synapses are to be chosen from {choices} pairs"));
        let problem = problem.at(value.span(), "more than there are");
        reader.problems.push(problem.help("choose fewer, or with `replacement = true`, which may repeat a pair"));
        return None;
    }
    let rows = rule.draw(pairs, &mut Stream::new(reader.seed, &format!("projection {}, connectivity", ends.name)));
    let mut text = format!("{name}, {key} {number}");
    if !pairs.autapses {
        text.push_str(", no autapses");
    }
    if kind != Kind::Probability {
        text.push_str(if pairs.replacement { ", with replacement" } else { ", without replacement" });
    }
    reader.drew(format!("the synapses of `{}`", ends.name), text, rows.targets.len());
    Some(Pattern::Sparse { rows, order: None })
}

fn refuse(reader: &mut Reader<'_>, value: &Value<'_>, message: String) -> Option<Pattern> {
    reader.problems.push(Diagnostic::error(message).at(value.span(), "this number"));
    None
}

fn kernel_shape(convolution: &Convolution) -> [u64; 4] {
    let Convolution { source, target, extent, groups, .. } = convolution;
    [target[0], source[0] / groups, extent[0], extent[1]].map(u64::from)
}

fn convolution(reader: &mut Reader<'_>, ends: &Ends<'_>, fields: &mut Fields<'_, '_>) -> Option<Pattern> {
    let known = reader.problems.len();
    let source = fields.require("source").and_then(|value| extents(reader, value, "`source`", 1));
    let channels = fields.require("channels").and_then(|value| number(reader, value, "`channels`", 1));
    let kernel = fields.require("kernel").and_then(|value| pair(reader, value, "`kernel`", 1));
    let mut optional = |key: &'static str, least: u32, default: u32| match fields.get(key) {
        None => Some([default; 2]),
        Some(value) => pair(reader, value, &format!("`{key}`"), least),
    };
    let (pool, stride, dilation) = (optional("pool", 1, 1), optional("stride", 1, 1), optional("dilation", 1, 1));
    let groups = match fields.get("groups") {
        None => Some(1),
        Some(value) => number(reader, value, "`groups`", 1),
    };
    let padding = fields.get("padding");
    let (source, channels, kernel) = (source?, channels?, kernel?);
    let (pool, stride, dilation, groups) = (pool?, stride?, dilation?, groups?);
    let reach = [0, 1].map(|axis| u64::from(dilation[axis]) * u64::from(kernel[axis] - 1));
    // Zeros before and after.
    let padding: [(u64, u64); 2] = match padding.map(|value| (value, value.get_ref())) {
        None => [(0, 0); 2],
        Some((_, DeValue::String(word))) if word == "valid" => [(0, 0); 2],
        Some((value, DeValue::String(word))) if word == "same" => {
            if stride != [1, 1] {
                let problem = Diagnostic::error("`padding = \"same\"` needs a stride of 1");
                reader.problems.push(problem.at(value.span(), "this word").help("write the zeros as numbers"));
                return None;
            }
            reach.map(|reach| (reach / 2, reach - reach / 2))
        }
        Some((value, DeValue::String(_))) => {
            let problem = Diagnostic::error("`padding` is a number, two numbers, \"same\" or \"valid\"");
            reader.problems.push(problem.at(value.span(), "this word"));
            return None;
        }
        Some((value, _)) => pair(reader, value, "`padding`", 0)?.map(|zeros| (u64::from(zeros), u64::from(zeros))),
    };
    if reader.problems.len() > known {
        return None;
    }
    let mut wrong = |message: String, label: String| {
        reader.problems.push(Diagnostic::error(message).at(fields.span(), label));
        None
    };
    let size = |shape: &[u32]| shape.iter().try_fold(1u32, |product, extent| product.checked_mul(*extent));
    if size(&source) != Some(ends.sources) {
        let [channels, rows, columns] = source;
        let message =
            format!("`{}` comes from {} neurons, not from {channels} × {rows} × {columns}", ends.name, ends.sources);
        return wrong(message, "`source` is channels, rows and columns".to_owned());
    }
    if source[0] % groups != 0 || channels % groups != 0 {
        let message = format!("{groups} groups do not divide {} and {channels} channels", source[0]);
        return wrong(message, "of this convolution".to_owned());
    }
    let extent = |axis: usize| -> Option<u32> {
        let pooled = u64::from(source[axis + 1] / pool[axis]);
        let free = (pooled + padding[axis].0 + padding[axis].1).checked_sub(reach[axis] + 1)?;
        u32::try_from(free / u64::from(stride[axis]) + 1).ok()
    };
    let (Some(rows), Some(columns)) = (extent(0), extent(1)) else {
        return wrong("the kernel is larger than what it is moved over".to_owned(), "of this convolution".to_owned());
    };
    let target = [channels, rows, columns];
    if size(&target) != Some(ends.targets) {
        let message =
            format!("`{}` leads to {} neurons, not to {channels} × {rows} × {columns}", ends.name, ends.targets);
        return wrong(message, format!("gives {rows} rows and {columns} columns for each channel"));
    }
    let before = padding.map(|(before, _)| before as u32);
    let convolution = Convolution {
        kernel: Vec::new(),
        extent: kernel,
        source,
        pool,
        target,
        stride,
        padding: before,
        dilation,
        groups,
    };
    if kernel_shape(&convolution)
        .iter()
        .try_fold(1u64, |product, extent| product.checked_mul(*extent))
        .is_none_or(|codes| codes > MOST_SYNAPSES)
    {
        return wrong("the kernel has more weights than any memory holds".to_owned(), "of this convolution".to_owned());
    }
    Some(Pattern::Convolution(convolution))
}

/// Larger lengths of axes would overflow sums of them.
const LONGEST_AXIS: i64 = 1 << 20;

fn number(reader: &mut Reader<'_>, value: &Value<'_>, what: &str, least: u32) -> Option<u32> {
    let number = super::table::integer(value, what, i64::from(least)..=LONGEST_AXIS, &mut reader.problems)?;
    u32::try_from(number.value).ok()
}

fn extents<const N: usize>(reader: &mut Reader<'_>, value: &Value<'_>, what: &str, least: u32) -> Option<[u32; N]> {
    let DeValue::Array(array) = value.get_ref() else {
        let expected = format!("a list of {N} integers");
        reader.problems.push(wrong_type(what, &expected, value.get_ref(), value.span()));
        return None;
    };
    let numbers: Vec<Option<u32>> = array.iter().map(|item| number(reader, item, what, least)).collect();
    let numbers: Vec<u32> = numbers.into_iter().collect::<Option<_>>()?;
    let found = numbers.len();
    numbers
        .try_into()
        .map_err(|_| {
            let problem = Diagnostic::error(format!("{what} needs {N} numbers, not {found}"));
            reader.problems.push(problem.at(value.span(), format!("this has {found}")));
        })
        .ok()
}

/// One number for rows and columns, or two.
fn pair(reader: &mut Reader<'_>, value: &Value<'_>, what: &str, least: u32) -> Option<[u32; 2]> {
    match value.get_ref() {
        DeValue::Array(_) => extents(reader, value, what, least),
        _ => number(reader, value, what, least).map(|number| [number; 2]),
    }
}

/// `delays = 3`, a list, or a table with `by`, `longest` and `clip`.
fn delays(
    reader: &mut Reader<'_>,
    ends: &Ends<'_>,
    described: &Described<'_>,
    (rows, columns): (usize, usize),
    order: Option<&[u32]>,
) -> Option<Delays> {
    let what = format!("the delays of `{}`", ends.name);
    let stream = format!("projection {}, delays", ends.name);
    let wanted = Wanted { what: &what, stream: &stream, ty: Type::INT, rows, columns, axes: &[] };
    let (mut sorted, mut limit) = (false, Limit { longest: u16::MAX, clip: false });
    let object = described.trained.as_ref().filter(|object| reader.is_trained(object.value, "d"));
    let given =
        |reader: &mut Reader<'_>| object.and_then(|At { value, span }| reader.trained_file(value, "d", span.clone()));
    let Some(value) = described.delays else {
        let given = given(reader)?;
        return match reader.trained_delays(given, &wanted, limit)? {
            Numbered::Each(steps) => Some(Delays::Ring(reordered(steps, order))),
            Numbered::One(_) => None,
        };
    };
    let steps = match value.get_ref() {
        DeValue::Table(table) => {
            let mut fields = Fields::new(table, value.span(), what.clone());
            let problems = &mut reader.problems;
            let by = fields.choice("by", &[("ring", false), ("sorted", true)], problems);
            let longest = fields.integer("longest", 0..=u16::MAX.into(), problems);
            let clip = fields.boolean("clip", problems);
            sorted = by.is_some_and(|by| by.value);
            limit.longest = longest.map_or(limit.longest, |longest| longest.value as u16);
            limit.clip = clip.is_some_and(|clip| clip.value);
            let own = ["steps", "file", "distribution", "checkpoint"].iter().any(|key| fields.get(key).is_some());
            let given = if own { None } else { given(reader) };
            let steps = reader.delays(value, Some(&mut fields), given, &wanted, limit);
            fields.finish(&mut reader.problems);
            steps
        }
        _ => reader.delays(value, None, None, &wanted, limit),
    };
    Some(match steps? {
        Numbered::One(0) => Delays::None,
        Numbered::One(steps) => Delays::Uniform(steps.into()),
        Numbered::Each(steps) if sorted => Delays::Sorted(reordered(steps, order)),
        Numbered::Each(steps) => Delays::Ring(reordered(steps, order)),
    })
}
