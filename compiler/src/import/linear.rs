//! Linear maps between the numbers of two nodes, in the form that says most about them.
//!
//! Contract: a [`Map`] from `n` numbers to `m` is one matrix, however it is stored; composing, adding and masking are exact in the
//! sense of real numbers. What can stay a convolution with a shared kernel stays one: convolutions compose where no zeros
//! around the inner one would be seen, and sums over windows go into the convolution behind them.
//!
//! Invariant: no map has more than `MOST_WEIGHTS` numbers; what would have is refused before it is made.
//!
//! Not here: where a map comes from (`wiring`), and codes.

use crate::network::{self, Synapse};
use crate::nir::{Conv, Matrix, Pool};

/// No machine holds more weights than this.
pub(super) const MOST_WEIGHTS: usize = 1 << 26;

/// Below one number in this many that is not 0, a matrix is stored as sparse rows.
const SPARSE_BELOW_ONE_IN: usize = 3;

/// A linear map. All forms are by source: what one source adds to each target.
#[derive(Debug, Clone, PartialEq)]
pub enum Map {
    /// `y_i = f_i x_i`.
    Diagonal(Vec<f64>),
    /// `y_j = Σ_i weight[i][j] x_i`.
    Dense {
        /// `n`
        sources: usize,
        /// `m`
        targets: usize,
        /// `n × m` numbers.
        weights: Vec<f64>,
    },
    /// The same with most numbers 0.
    Sparse(Rows),
    /// A cross-correlation; see [`network::Convolution`].
    Convolution(Kernel),
}

/// Compressed sparse rows, one per source.
#[derive(Debug, Clone, PartialEq)]
pub struct Rows {
    /// Where each source's row begins, and where the last one ends.
    pub starts: Vec<usize>,
    /// Targets, rising within a row.
    pub targets: Vec<u32>,
    /// A number for each.
    pub weights: Vec<f64>,
    /// `m`
    pub size: usize,
}

/// A cross-correlation with real numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Kernel {
    /// Everything but the numbers: its codes are all 0, and there are as many as there are weights.
    geometry: network::Weights,
    /// As [`network::Convolution::kernel`].
    pub weights: Vec<f64>,
}

/// A map with more weights than any machine holds: how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLarge(pub u128);

impl Kernel {
    /// A kernel in a shape; `None` where a number in it is beyond 32 bits.
    fn new(shape: Shape, weights: Vec<f64>) -> Option<Self> {
        let numbers =
            |list: &[usize]| list.iter().map(|&number| u32::try_from(number).ok()).collect::<Option<Vec<u32>>>();
        let two = |list: [usize; 2]| <[u32; 2]>::try_from(numbers(&list)?).ok();
        let three = |list: [usize; 3]| <[u32; 3]>::try_from(numbers(&list)?).ok();
        for shape in [shape.source, shape.target] {
            let size = shape.iter().try_fold(1_usize, |size, extent| size.checked_mul(*extent))?;
            u32::try_from(size).ok()?;
        }
        let geometry = network::Weights::Convolution(network::Convolution {
            kernel: vec![0; weights.len()],
            extent: two(shape.extent)?,
            source: three(shape.source)?,
            pool: two(shape.pool)?,
            target: three(shape.target)?,
            stride: two(shape.stride)?,
            padding: two(shape.padding)?,
            dilation: two(shape.dilation)?,
            groups: u32::try_from(shape.groups).ok()?,
        });
        Some(Self { geometry, weights })
    }

    /// The shape, with codes that are all 0.
    pub fn geometry(&self) -> &network::Convolution {
        match &self.geometry {
            network::Weights::Convolution(convolution) => convolution,
            _ => unreachable!("`new` makes convolutions only"),
        }
    }

    /// The same kernel with codes.
    pub fn with_codes(&self, codes: Vec<i16>) -> network::Convolution {
        network::Convolution { kernel: codes, ..self.geometry().clone() }
    }

    /// Numbers of the kernel for each target channel.
    pub fn per_channel(&self) -> usize {
        self.weights.len() / self.geometry().target[0].max(1) as usize
    }

    fn shape(&self) -> Shape {
        let two = |list: [u32; 2]| list.map(|number| number as usize);
        let geometry = self.geometry();
        Shape {
            extent: two(geometry.extent),
            source: geometry.source.map(|number| number as usize),
            pool: two(geometry.pool),
            target: geometry.target.map(|number| number as usize),
            stride: two(geometry.stride),
            padding: two(geometry.padding),
            dilation: two(geometry.dilation),
            groups: geometry.groups as usize,
        }
    }
}

/// A convolution's shape in the host's numbers.
#[derive(Clone, Copy)]
struct Shape {
    extent: [usize; 2],
    source: [usize; 3],
    pool: [usize; 2],
    target: [usize; 3],
    stride: [usize; 2],
    padding: [usize; 2],
    dilation: [usize; 2],
    groups: usize,
}

impl Rows {
    fn row(&self, source: usize) -> impl Iterator<Item = (u32, f64)> {
        let range = self.starts[source]..self.starts[source + 1];
        self.targets[range.clone()].iter().copied().zip(self.weights[range].iter().copied())
    }

    /// From one list of `(target, weight)` per source, each target at most once.
    fn new(rows: impl Iterator<Item = Vec<(u32, f64)>>, size: usize) -> Self {
        let mut all = Self { starts: vec![0], targets: Vec::new(), weights: Vec::new(), size };
        for mut row in rows {
            row.retain(|(_, weight)| *weight != 0.0);
            row.sort_unstable_by_key(|(target, _)| *target);
            all.targets.extend(row.iter().map(|(target, _)| target));
            all.weights.extend(row.iter().map(|(_, weight)| weight));
            all.starts.push(all.targets.len());
        }
        all
    }
}

fn check(count: u128) -> Result<(), TooLarge> {
    if count > MOST_WEIGHTS as u128 { Err(TooLarge(count)) } else { Ok(()) }
}

/// Adds up a row whose targets come in any order.
struct Gather {
    sums: Vec<f64>,
    touched: Vec<bool>,
    targets: Vec<u32>,
}

impl Gather {
    fn new(size: usize) -> Self {
        Self { sums: vec![0.0; size], touched: vec![false; size], targets: Vec::new() }
    }

    fn add(&mut self, target: u32, weight: f64) {
        let place = target as usize;
        self.sums[place] += weight;
        if !self.touched[place] {
            self.touched[place] = true;
            self.targets.push(target);
        }
    }

    fn take(&mut self) -> Vec<(u32, f64)> {
        let Self { sums, touched, targets } = self;
        let row = |target: u32| {
            touched[target as usize] = false;
            (target, std::mem::take(&mut sums[target as usize]))
        };
        targets.drain(..).map(row).collect()
    }
}

impl Map {
    /// `y = x`.
    pub(super) fn identity(size: usize) -> Self {
        Self::Diagonal(vec![1.0; size])
    }

    /// `W x`, `W` by target.
    pub(super) fn matrix(weight: &Matrix) -> Self {
        /// Rows and columns of a block that fits into a cache.
        const BLOCK: usize = 32;
        let Matrix { rows, cols, data } = weight;
        let (rows, cols) = (*rows, *cols);
        let mut weights = vec![0.0; data.len()];
        for (row, col) in (0..rows).step_by(BLOCK).flat_map(|row| (0..cols).step_by(BLOCK).map(move |col| (row, col))) {
            for r in row..(row + BLOCK).min(rows) {
                for c in col..(col + BLOCK).min(cols) {
                    weights[c * rows + r] = data[r * cols + c];
                }
            }
        }
        Self::Dense { sources: cols, targets: rows, weights }
    }

    /// What a convolution does to an input of these extents, but for its bias.
    ///
    /// # Errors
    /// [`TooLarge`] where extents are beyond any machine.
    pub(super) fn convolution<const D: usize>(conv: &Conv<D>, extents: [usize; D]) -> Result<Self, TooLarge> {
        let output = conv.output_extents(extents).unwrap_or([0; D]);
        let before = |axis: usize| conv.padding.around(axis, conv.kernel[axis], conv.dilation[axis])[0];
        // One dimension is one row of two.
        let two = |of: &dyn Fn(usize) -> usize, row: usize| match D {
            1 => [row, of(0)],
            _ => [of(0), of(1)],
        };
        let [rows, columns] = two(&|axis| extents[axis], 1);
        let [target_rows, target_columns] = two(&|axis| output[axis], 1);
        let shape = Shape {
            extent: two(&|axis| conv.kernel[axis], 1),
            source: [conv.in_channels(), rows, columns],
            pool: [1, 1],
            target: [conv.out_channels, target_rows, target_columns],
            stride: two(&|axis| conv.stride[axis], 1),
            padding: two(&before, 0),
            dilation: two(&|axis| conv.dilation[axis], 1),
            groups: conv.groups,
        };
        check(conv.weight.len() as u128)?;
        Kernel::new(shape, conv.weight.clone()).map(Self::Convolution).ok_or(TooLarge(u128::from(u32::MAX)))
    }

    /// Sums over windows of each channel, times a factor.
    ///
    /// # Errors
    /// As [`Map::convolution`].
    pub(super) fn pool(pool: &Pool, source: [usize; 3], factor: f64) -> Result<Self, TooLarge> {
        let [channels, rows, columns] = source;
        let [target_rows, target_columns] = pool.output_extents([rows, columns]).unwrap_or([0; 2]);
        let whole = pool.stride == pool.kernel && pool.padding == [0, 0];
        let (extent, window) = if whole { ([1, 1], pool.kernel) } else { (pool.kernel, [1, 1]) };
        let shape = Shape {
            extent,
            source,
            pool: window,
            target: [channels, target_rows, target_columns],
            stride: if whole { [1, 1] } else { pool.stride },
            padding: pool.padding,
            dilation: [1, 1],
            groups: channels,
        };
        let count = channels as u128 * extent[0] as u128 * extent[1] as u128;
        check(count)?;
        let kernel = Kernel::new(shape, vec![factor; count as usize]);
        kernel.map(Self::Convolution).ok_or(TooLarge(u128::from(u32::MAX)))
    }

    /// `n`
    pub fn sources(&self) -> usize {
        match self {
            Self::Diagonal(factors) => factors.len(),
            Self::Dense { sources, .. } => *sources,
            Self::Sparse(rows) => rows.starts.len() - 1,
            Self::Convolution(kernel) => kernel.shape().source.iter().product(),
        }
    }

    /// `m`
    pub fn targets(&self) -> usize {
        match self {
            Self::Diagonal(factors) => factors.len(),
            Self::Dense { targets, .. } => *targets,
            Self::Sparse(rows) => rows.size,
            Self::Convolution(kernel) => kernel.shape().target.iter().product(),
        }
    }

    /// What source `source` adds: each target at most once.
    #[inline]
    pub fn row(&self, source: usize, mut each: impl FnMut(u32, f64)) {
        match self {
            Self::Diagonal(factors) => each(source as u32, factors[source]),
            Self::Dense { targets, weights, .. } => {
                let row = &weights[source * targets..][..*targets];
                row.iter().enumerate().for_each(|(target, weight)| each(target as u32, *weight));
            }
            Self::Sparse(rows) => rows.row(source).for_each(|(target, weight)| each(target, weight)),
            Self::Convolution(kernel) => kernel
                .geometry
                .row(source as u32, 0, |Synapse { target, index, .. }| each(target, kernel.weights[index])),
        }
    }

    /// How many numbers [`Map::row`] gives in all.
    pub fn count(&self) -> u128 {
        match self {
            Self::Diagonal(factors) => factors.len() as u128,
            Self::Dense { weights, .. } => weights.len() as u128,
            Self::Sparse(rows) => rows.targets.len() as u128,
            Self::Convolution(kernel) => {
                let shape = kernel.shape();
                let windows = shape.target.iter().map(|extent| *extent as u128).product::<u128>();
                // An upper bound: at the border some of the window sees nothing.
                windows * (kernel.per_channel() * shape.pool[0] * shape.pool[1]) as u128
            }
        }
    }

    /// Whether it passes on what it gets.
    pub(super) fn is_identity(&self) -> bool {
        matches!(self, Self::Diagonal(factors) if factors.iter().all(|factor| *factor == 1.0))
    }

    /// Whether nothing comes out.
    pub(super) fn is_zero(&self) -> bool {
        let weights = match self {
            Self::Diagonal(weights) | Self::Dense { weights, .. } => weights,
            Self::Sparse(rows) => &rows.weights,
            Self::Convolution(kernel) => &kernel.weights,
        };
        weights.iter().all(|weight| *weight == 0.0)
    }

    /// The map applied to `values`.
    pub(super) fn apply(&self, values: &[f64]) -> Vec<f64> {
        let mut sums = vec![0.0; self.targets()];
        for (source, value) in values.iter().enumerate().filter(|(_, value)| **value != 0.0) {
            self.row(source, |target, weight| sums[target as usize] += weight * value);
        }
        sums
    }

    /// The same map as sparse rows.
    fn into_rows(self) -> Result<Rows, TooLarge> {
        if let Self::Sparse(rows) = self {
            return Ok(rows);
        }
        check(self.count())?;
        let size = self.targets();
        let row = |source| {
            let mut row = Vec::new();
            self.row(source, |target, weight| row.push((target, weight)));
            row
        };
        Ok(Rows::new((0..self.sources()).map(row), size))
    }

    /// `second` after `self`.
    ///
    /// # Errors
    /// [`TooLarge`]; `self` and `second` must fit.
    pub(super) fn then(self, second: Self) -> Result<Self, TooLarge> {
        debug_assert_eq!(self.targets(), second.sources());
        if self.is_identity() {
            return Ok(second);
        }
        if second.is_identity() {
            return Ok(self);
        }
        match (self, second) {
            (Self::Diagonal(mut first), Self::Diagonal(second)) => {
                first.iter_mut().zip(second).for_each(|(a, b)| *a *= b);
                Ok(Self::Diagonal(first))
            }
            (Self::Diagonal(factors), second) => second.scaled_by_source(&factors),
            (first, Self::Diagonal(factors)) => first.scaled_by_target(&factors),
            (Self::Convolution(first), Self::Convolution(second)) => match merged(&first, &second) {
                Some(kernel) => Ok(Self::Convolution(kernel)),
                None => product(Self::Convolution(first), &Self::Convolution(second)),
            },
            (first, second) => product(first, &second),
        }
    }

    /// Each source's row times a factor.
    fn scaled_by_source(self, factors: &[f64]) -> Result<Self, TooLarge> {
        match self {
            Self::Diagonal(_) => self.then(Self::Diagonal(factors.to_vec())),
            Self::Dense { sources, targets, mut weights } => {
                for (row, factor) in weights.chunks_exact_mut(targets.max(1)).zip(factors) {
                    row.iter_mut().for_each(|weight| *weight *= factor);
                }
                Ok(Self::Dense { sources, targets, weights })
            }
            Self::Convolution(mut kernel) => {
                let shape = kernel.shape();
                let area = shape.source[1] * shape.source[2];
                let Some(by_channel) = uniform_chunks(factors, area) else {
                    return Self::Sparse(Self::Convolution(kernel).into_rows()?).scaled_by_source(factors);
                };
                let inputs = shape.source[0] / shape.groups;
                let outputs = shape.target[0] / shape.groups;
                let elements = shape.extent[0] * shape.extent[1];
                for (place, weights) in kernel.weights.chunks_exact_mut(elements.max(1)).enumerate() {
                    let (output, input) = (place / inputs, place % inputs);
                    let factor = by_channel[output / outputs * inputs + input];
                    weights.iter_mut().for_each(|weight| *weight *= factor);
                }
                Ok(Self::Convolution(kernel))
            }
            Self::Sparse(mut rows) => {
                for (source, factor) in factors.iter().enumerate() {
                    rows.weights[rows.starts[source]..rows.starts[source + 1]].iter_mut().for_each(|w| *w *= factor);
                }
                Ok(Self::Sparse(rows))
            }
        }
    }

    /// What reaches each target times a factor.
    pub(super) fn scaled_by_target(self, factors: &[f64]) -> Result<Self, TooLarge> {
        match self {
            Self::Diagonal(mut own) => {
                own.iter_mut().zip(factors).for_each(|(own, factor)| *own *= factor);
                Ok(Self::Diagonal(own))
            }
            Self::Dense { sources, targets, mut weights } => {
                for row in weights.chunks_exact_mut(targets.max(1)) {
                    row.iter_mut().zip(factors).for_each(|(weight, factor)| *weight *= factor);
                }
                Ok(Self::Dense { sources, targets, weights })
            }
            Self::Convolution(mut kernel) => {
                let shape = kernel.shape();
                let Some(by_channel) = uniform_chunks(factors, shape.target[1] * shape.target[2]) else {
                    return Self::Sparse(Self::Convolution(kernel).into_rows()?).scaled_by_target(factors);
                };
                let per_channel = kernel.per_channel();
                for (weights, factor) in kernel.weights.chunks_exact_mut(per_channel.max(1)).zip(by_channel) {
                    weights.iter_mut().for_each(|weight| *weight *= factor);
                }
                Ok(Self::Convolution(kernel))
            }
            Self::Sparse(mut rows) => {
                rows.weights.iter_mut().zip(&rows.targets).for_each(|(w, target)| *w *= factors[*target as usize]);
                Ok(Self::Sparse(rows))
            }
        }
    }

    /// The sum of two maps between the same nodes.
    ///
    /// # Errors
    /// [`TooLarge`].
    pub(super) fn plus(self, other: Self) -> Result<Self, TooLarge> {
        match (self, other) {
            (Self::Diagonal(mut a), Self::Diagonal(b)) => {
                a.iter_mut().zip(b).for_each(|(a, b)| *a += b);
                Ok(Self::Diagonal(a))
            }
            (Self::Convolution(mut a), Self::Convolution(b)) if a.geometry == b.geometry => {
                a.weights.iter_mut().zip(b.weights).for_each(|(a, b)| *a += b);
                Ok(Self::Convolution(a))
            }
            (Self::Dense { sources, targets, mut weights }, other)
            | (other, Self::Dense { sources, targets, mut weights }) => {
                for (source, row) in weights.chunks_exact_mut(targets.max(1)).enumerate() {
                    other.row(source, |target, weight| row[target as usize] += weight);
                }
                Ok(Self::Dense { sources, targets, weights })
            }
            (a, b) => {
                check(a.count() + b.count())?;
                let mut gather = Gather::new(a.targets());
                let row = |source| {
                    a.row(source, |target, weight| gather.add(target, weight));
                    b.row(source, |target, weight| gather.add(target, weight));
                    gather.take()
                };
                Ok(Self::Sparse(Rows::new((0..a.sources()).map(row), a.targets())))
            }
        }
    }

    /// What reaches the targets of which `keep` holds.
    ///
    /// # Errors
    /// [`TooLarge`].
    pub(super) fn onto(&self, keep: impl Fn(usize) -> bool) -> Result<Self, TooLarge> {
        check(self.count())?;
        let row = |source| {
            let mut row = Vec::new();
            self.row(source, |target, weight| {
                if keep(target as usize) {
                    row.push((target, weight));
                }
            });
            row
        };
        Ok(Self::Sparse(Rows::new((0..self.sources()).map(row), self.targets())))
    }

    /// The same map in the form that costs a machine least: a convolution only where its kernel is shared, a dense
    /// matrix only where enough of it is not 0.
    ///
    /// # Errors
    /// [`TooLarge`].
    pub(super) fn settled(self) -> Result<Self, TooLarge> {
        if let Self::Convolution(kernel) = &self
            && self.count() > kernel.weights.len() as u128
        {
            return Ok(self);
        }
        let (sources, targets) = (self.sources(), self.targets());
        let mut filled = 0_usize;
        let mut diagonal = sources == targets;
        for source in 0..sources {
            self.row(source, |target, weight| {
                filled += usize::from(weight != 0.0);
                diagonal &= weight == 0.0 || target as usize == source;
            });
        }
        if diagonal && filled == sources {
            let mut factors = vec![0.0; sources];
            for (source, factor) in factors.iter_mut().enumerate() {
                self.row(source, |target, weight| {
                    if target as usize == source {
                        *factor = weight
                    }
                });
            }
            return Ok(Self::Diagonal(factors));
        }
        let all = sources as u128 * targets as u128;
        if filled as u128 * (SPARSE_BELOW_ONE_IN as u128) < all {
            return self.into_rows().map(Self::Sparse);
        }
        match self {
            Self::Dense { .. } => Ok(self),
            other => other.into_dense(),
        }
    }

    fn into_dense(self) -> Result<Self, TooLarge> {
        let (sources, targets) = (self.sources(), self.targets());
        check(sources as u128 * targets as u128)?;
        let mut weights = vec![0.0; sources * targets];
        for (source, row) in weights.chunks_exact_mut(targets.max(1)).enumerate() {
            self.row(source, |target, weight| row[target as usize] = weight);
        }
        Ok(Self::Dense { sources, targets, weights })
    }
}

/// One number for each chunk of `size`, if all numbers of a chunk are the same.
pub(super) fn uniform_chunks(numbers: &[f64], size: usize) -> Option<Vec<f64>> {
    let uniform = |chunk: &[f64]| chunk.iter().all(|number| *number == chunk[0]).then(|| chunk[0]);
    numbers.chunks(size.max(1)).map(uniform).collect()
}

/// `second` after `first`, whatever they are.
fn product(first: Map, second: &Map) -> Result<Map, TooLarge> {
    let (sources, targets) = (first.sources(), second.targets());
    if matches!(first, Map::Dense { .. }) || matches!(second, Map::Dense { .. }) {
        check(sources as u128 * targets as u128)?;
        let mut weights = vec![0.0; sources * targets];
        for (source, sums) in weights.chunks_exact_mut(targets.max(1)).enumerate() {
            first.row(source, |middle, factor| {
                if factor != 0.0 {
                    second.row(middle as usize, |target, weight| sums[target as usize] += factor * weight);
                }
            });
        }
        return Ok(Map::Dense { sources, targets, weights });
    }
    // How many there can be at most, by the longest row of the second.
    let longest = (0..second.sources()).map(|source| {
        let mut count = 0_u128;
        second.row(source, |_, _| count += 1);
        count
    });
    check(first.count().saturating_mul(longest.max().unwrap_or(0)).min(sources as u128 * targets as u128))?;
    let mut gather = Gather::new(targets);
    let row = |source| {
        first.row(source, |middle, factor| {
            second.row(middle as usize, |target, weight| gather.add(target, factor * weight));
        });
        gather.take()
    };
    Ok(Map::Sparse(Rows::new((0..sources).map(row), targets)))
}

/// Two convolutions as one, where that is one: the second may not see zeros that stand around what the first gives, unless
/// the first only sums over windows.
fn merged(first: &Kernel, second: &Kernel) -> Option<Kernel> {
    let (a, b) = (first.shape(), second.shape());
    let only_pools = a.extent == [1, 1] && a.stride == [1, 1] && a.padding == [0, 0] && a.groups == a.target[0];
    if only_pools && a.groups == a.source[0] && b.pool == [1, 1] {
        // A factor for each channel, and the sums, go into the second.
        let area = b.source[1] * b.source[2];
        let factors: Vec<f64> = first.weights.iter().flat_map(|factor| vec![*factor; area]).collect();
        let Ok(Map::Convolution(scaled)) = Map::Convolution(second.clone()).scaled_by_source(&factors) else {
            return None;
        };
        return Kernel::new(Shape { source: a.source, pool: a.pool, ..b }, scaled.weights);
    }
    // The last element that the second sees; zeros behind what the first gives are none of the input's either.
    let last = |axis: usize| {
        let window = b.stride[axis].checked_mul(b.target[axis + 1] - 1)?;
        let pooled = window.checked_add(b.dilation[axis].checked_mul(b.extent[axis] - 1)?)?;
        b.pool[axis].checked_mul(pooled)?.checked_add(b.pool[axis] - 1)
    };
    if b.padding != [0, 0] || last(0)? >= b.source[1] || last(1)? >= b.source[2] {
        return None;
    }
    // Element `j` of the second sees, through element `k` of the first, `stride_a · (pool_b · dilation_b · j + i) + dilation_a · k`
    // for all `i < pool_b`; and it moves by `stride_a · pool_b · stride_b`.
    let axis = |axis: usize| {
        let last = b.pool[axis].checked_mul(b.dilation[axis])?.checked_mul(b.extent[axis] - 1)?;
        let inner = last.checked_add(b.pool[axis] - 1)?;
        a.stride[axis]
            .checked_mul(inner)?
            .checked_add(a.dilation[axis].checked_mul(a.extent[axis] - 1)?)?
            .checked_add(1)
    };
    let extent = [axis(0)?, axis(1)?];
    let groups = gcd(a.groups, b.groups);
    let (inputs, outputs) = (a.source[0] / groups, b.target[0]);
    let count = outputs.checked_mul(inputs)?.checked_mul(extent[0].checked_mul(extent[1])?)?;
    let unrolled = Map::Convolution(second.clone()).count().saturating_mul(first.per_channel() as u128);
    if count as u128 > unrolled || count > MOST_WEIGHTS {
        return None;
    }
    let mut weights = vec![0.0; count];
    let (a_inputs, a_outputs) = (a.source[0] / a.groups, a.target[0] / a.groups);
    let (b_inputs, b_outputs) = (b.source[0] / b.groups, b.target[0] / b.groups);
    for (output, own) in (0..outputs).flat_map(|output| (0..b_inputs).map(move |own| (output, own))) {
        // The channel between the two, and the channels that come in.
        let middle = output / b_outputs * b_inputs + own;
        for a_own in 0..a_inputs {
            let input = middle / a_outputs * a_inputs + a_own;
            let own_input = input - output / (outputs / groups) * inputs;
            for (jy, jx) in (0..b.extent[0]).flat_map(|jy| (0..b.extent[1]).map(move |jx| (jy, jx))) {
                let outer = second.weights[((output * b_inputs + own) * b.extent[0] + jy) * b.extent[1] + jx];
                for (iy, ix) in (0..b.pool[0]).flat_map(|iy| (0..b.pool[1]).map(move |ix| (iy, ix))) {
                    for (ky, kx) in (0..a.extent[0]).flat_map(|ky| (0..a.extent[1]).map(move |kx| (ky, kx))) {
                        let inner = first.weights[((middle * a_inputs + a_own) * a.extent[0] + ky) * a.extent[1] + kx];
                        let y = a.stride[0] * (b.pool[0] * b.dilation[0] * jy + iy) + a.dilation[0] * ky;
                        let x = a.stride[1] * (b.pool[1] * b.dilation[1] * jx + ix) + a.dilation[1] * kx;
                        weights[((output * inputs + own_input) * extent[0] + y) * extent[1] + x] += outer * inner;
                    }
                }
            }
        }
    }
    let along = |axis: usize| a.stride[axis].checked_mul(b.pool[axis])?.checked_mul(b.stride[axis]);
    let shape = Shape {
        extent,
        source: a.source,
        pool: a.pool,
        target: b.target,
        stride: [along(0)?, along(1)?],
        padding: a.padding,
        dilation: [1, 1],
        groups,
    };
    Kernel::new(shape, weights)
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::nir::Padding;

    /// The matrix of a map, by applying it to each unit vector.
    fn matrix(map: &Map) -> Vec<Vec<f64>> {
        let unit = |place: usize| (0..map.sources()).map(|n| f64::from(u8::from(n == place))).collect::<Vec<f64>>();
        (0..map.sources()).map(|source| map.apply(&unit(source))).collect()
    }

    fn after(first: &[Vec<f64>], second: &[Vec<f64>]) -> Vec<Vec<f64>> {
        let row = |row: &Vec<f64>| {
            let target = |j: usize| row.iter().zip(second).map(|(a, b)| a * b[j]).sum();
            (0..second.first().map_or(0, Vec::len)).map(target).collect()
        };
        first.iter().map(row).collect()
    }

    /// Small integers, so that sums are exact in any order.
    fn integers(count: usize, salt: usize) -> Vec<f64> {
        (0..count).map(|n| ((n * 7 + salt * 13 + n * n) % 11) as f64 - 5.0).collect()
    }

    fn conv(
        source: [usize; 3],
        out: usize,
        groups: usize,
        kernel: [usize; 2],
        stride: [usize; 2],
        pad: [usize; 2],
    ) -> Conv<2> {
        let group_channels = source[0] / groups;
        Conv {
            out_channels: out,
            group_channels,
            kernel,
            weight: integers(out * group_channels * kernel[0] * kernel[1], kernel[0] + out),
            bias: vec![0.0; out],
            stride,
            padding: Padding::Zeros(pad),
            dilation: [1, 1 + usize::from(kernel[1] == 2)],
            groups,
            input_shape: None,
        }
    }

    /// A map of any form onto `[channels, rows, columns]`, and the shape it gives.
    fn any_map(kind: usize, source: [usize; 3], salt: usize) -> (Map, [usize; 3]) {
        let size = source.iter().product();
        let out = |map: Map, conv: &Conv<2>| {
            let [rows, columns] = conv.output_extents([source[1], source[2]]).unwrap();
            (map, [conv.out_channels, rows, columns])
        };
        match kind {
            0 => (Map::Diagonal(integers(size, salt)), source),
            1 => {
                let by_channel = integers(source[0], salt);
                (Map::Diagonal(by_channel.iter().flat_map(|f| vec![*f; size / source[0]]).collect()), source)
            }
            2 => {
                let weight = Matrix { rows: 12, cols: size, data: integers(12 * size, salt) };
                (Map::matrix(&weight), [2, 3, 2])
            }
            3 => {
                let pool = Pool { kernel: [2, 1], stride: [2, 1], padding: [0, 0] };
                let [rows, columns] = pool.output_extents([source[1], source[2]]).unwrap();
                (Map::pool(&pool, source, 0.5).unwrap(), [source[0], rows, columns])
            }
            4 => {
                let pool = Pool { kernel: [2, 2], stride: [1, 2], padding: [1, 0] };
                let [rows, columns] = pool.output_extents([source[1], source[2]]).unwrap();
                (Map::pool(&pool, source, 1.0).unwrap(), [source[0], rows, columns])
            }
            5 => {
                let conv = conv(source, 4, 2, [2, 2], [1, 1], [0, 0]);
                out(Map::convolution(&conv, [source[1], source[2]]).unwrap(), &conv)
            }
            6 => {
                let conv = conv(source, 2, 1, [2, 1], [2, 1], [1, 1]);
                out(Map::convolution(&conv, [source[1], source[2]]).unwrap(), &conv)
            }
            _ => {
                let sparse = Map::Diagonal(integers(size, salt)).onto(|target| target % 3 != 1).unwrap();
                (sparse, source)
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn composed_maps_are_products_of_matrices(a in 0..8_usize, b in 0..8_usize, salt in 0..50_usize) {
            let (first, shape) = any_map(a, [2, 6, 7], salt);
            prop_assume!(shape[0] % 2 == 0 && shape[1] >= 2 && shape[2] >= 3);
            let (second, _) = any_map(b, shape, salt + 1);
            let expected = after(&matrix(&first), &matrix(&second));
            let composed = first.then(second).unwrap();
            prop_assert_eq!(&matrix(&composed), &expected);
            let doubled = composed.clone().plus(composed.clone()).unwrap();
            let settled = composed.settled().unwrap();
            prop_assert_eq!(&matrix(&settled), &expected);
            let twice: Vec<Vec<f64>> =
                expected.iter().map(|row| row.iter().map(|weight| 2.0 * weight).collect()).collect();
            prop_assert_eq!(matrix(&doubled), twice);
        }
    }

    #[test]
    fn kernels_stay_shared_where_they_can() {
        let source = [2, 8, 8];
        let pool = |shape: [usize; 3], size: usize| {
            Map::pool(&Pool { kernel: [size; 2], stride: [size; 2], padding: [0; 2] }, shape, 1.0).unwrap()
        };
        let convolution = |shape: [usize; 3], padding: usize| {
            Map::convolution(&conv(shape, 4, 1, [3, 3], [1, 1], [padding; 2]), [shape[1], shape[2]]).unwrap()
        };
        // Padding is no obstacle behind sums.
        let Map::Convolution(kernel) = pool(source, 2).then(convolution([2, 4, 4], 1)).unwrap() else {
            panic!("unrolled")
        };
        assert_eq!((kernel.weights.len(), kernel.geometry().pool), (4 * 2 * 9, [2, 2]));
        // Sums behind a convolution, and two convolutions, are one with a larger kernel.
        let Map::Convolution(kernel) = convolution(source, 1).then(pool([4, 8, 8], 2)).unwrap() else {
            panic!("unrolled")
        };
        assert_eq!((kernel.geometry().extent, kernel.geometry().stride), ([4, 4], [2, 2]));
        let Map::Convolution(kernel) = convolution(source, 1).then(convolution([4, 8, 8], 0)).unwrap() else {
            panic!("unrolled")
        };
        assert_eq!((kernel.geometry().extent, kernel.geometry().target), ([5, 5], [4, 6, 6]));
        // Zeros around the first's result are none of the input's.
        assert!(matches!(convolution(source, 1).then(convolution([4, 8, 8], 1)).unwrap(), Map::Sparse(_)));
    }

    #[test]
    fn forms_are_chosen_by_what_is_not_0() {
        let matrix = |data: Vec<f64>| Map::matrix(&Matrix { rows: 3, cols: 3, data });
        let diagonal = matrix(vec![2.0, 0.0, 0.0, 0.0, 3.0, 0.0, 0.0, 0.0, 4.0]).settled();
        assert_eq!(diagonal, Ok(Map::Diagonal(vec![2.0, 3.0, 4.0])));
        let sparse = matrix(vec![0.0, 5.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 6.0]).settled();
        let rows = Rows { starts: vec![0, 0, 1, 2], targets: vec![0, 2], weights: vec![5.0, 6.0], size: 3 };
        assert_eq!(sparse, Ok(Map::Sparse(rows)));
        assert!(matches!(matrix(vec![1.0; 9]).settled(), Ok(Map::Dense { .. })));
        // A kernel as large as the image is shared by nobody.
        let whole = conv([1, 3, 3], 5, 1, [3, 3], [1, 1], [0, 0]);
        assert!(matches!(Map::convolution(&whole, [3, 3]).unwrap().settled(), Ok(Map::Dense { .. })));
    }

    #[test]
    fn what_no_machine_holds_is_refused_before_it_is_made() {
        let tall = Map::Dense { sources: 1, targets: 1 << 20, weights: vec![1.0; 1 << 20] };
        let wide = Map::Dense { sources: 1 << 20, targets: 1, weights: vec![1.0; 1 << 20] };
        assert_eq!(wide.then(tall), Err(TooLarge(1 << 40)));
    }
}
