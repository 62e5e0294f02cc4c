//! The synapses of a projection: which pairs of neurons are joined, with which weight, after which delay.
//!
//! Contract: [`Weights::row`] is the one definition of which synapses a spike has and in which order they act; the
//! interpreter executes it, the back end lays rows out in memory so that the same sums come out.
//!
//! Not here: memory layouts (padding, packing, DRAM), and how a rule such as a fixed probability became this list (the
//! front ends expand rules, from a seed they report).

/// The weights of a projection from `n` source neurons to `m` target neurons.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Weights {
    /// `n × m` codes, one row per source neuron.
    Dense(Vec<i16>),
    /// Some pairs only.
    Sparse(Sparse),
    /// `n` codes, where `n = m`: neuron `i` to neuron `i`.
    OneToOne(Vec<i16>),
    /// A kernel that all source neurons share.
    Convolution(Convolution),
}

/// Some pairs of neurons, as compressed sparse rows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sparse {
    /// `n + 1` numbers, not falling, from 0 to the number of synapses: row `i` is `starts[i]..starts[i + 1]`.
    pub starts: Vec<u32>,
    /// The synapses' target neurons, not falling within a row. A pair that occurs twice has two synapses.
    pub targets: Vec<u32>,
    /// The synapses' codes.
    pub weights: Vec<i16>,
}

/// A two-dimensional cross-correlation, after a sum over windows that do not overlap. Neurons are numbered channel by channel,
/// row by row: `(c·height + y)·width + x`.
///
/// With `p` the pooled input, `p[c][y][x] = Σ source[c][pool₀·y + i][pool₁·x + j]` over `i < pool₀`, `j < pool₁`:
/// `target[o][y][x] = Σ kernel[o][c'][ky][kx] · p[c][stride₀·y + dilation₀·ky − padding₀][stride₁·x + dilation₁·kx − padding₁]`
/// over `ky`, `kx` and the `c = g·C/groups + c'` of the group `g` that `o` belongs to; outside, `p` is 0. Rows and columns that
/// do not fill a window of the pool are left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Convolution {
    /// `[target channels][source channels / groups][rows][columns]` codes.
    pub kernel: Vec<i16>,
    /// Rows and columns of the kernel.
    pub extent: [u32; 2],
    /// Channels, rows and columns of the source.
    pub source: [u32; 3],
    /// Rows and columns of the windows that are summed first; `[1, 1]` for none.
    pub pool: [u32; 2],
    /// Channels, rows and columns of the target.
    pub target: [u32; 3],
    /// Pooled rows and columns from one target neuron to the next, at least 1.
    pub stride: [u32; 2],
    /// Rows and columns of zeros before the first.
    pub padding: [u32; 2],
    /// Pooled rows and columns from one element of the kernel to the next, at least 1.
    pub dilation: [u32; 2],
    /// Groups of channels that are convolved separately; divides both numbers of channels.
    pub groups: u32,
}

/// How many steps later than without delay a spike acts. What arrives together acts in the order the variants state.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Delays {
    /// At once.
    #[default]
    None,
    /// All the same: in every step, the spikes of so many updates of the source (or steps of the input) ago.
    Uniform(u32),
    /// One per synapse, in the order of the weights' codes, which are [`Weights::Dense`], [`Weights::Sparse`] or
    /// [`Weights::OneToOne`]. A spike adds to a ring of sums that all projections with `Ring` into the same variable share,
    /// each sum starting at 0 and saturating as the variable does; at the beginning of the target's update, the sum
    /// that is due is added to the variable.
    Ring(Vec<u16>),
    /// One per synapse, as for `Ring`. In every step the synapses that are due act on the variable itself: those with the longest
    /// delay first, and for each delay the spikes in rising order of neurons.
    Sorted(Vec<u16>),
}

impl Delays {
    /// The longest delay in steps.
    pub fn longest(&self) -> u32 {
        match self {
            Self::None => 0,
            Self::Uniform(steps) => *steps,
            Self::Ring(steps) | Self::Sorted(steps) => steps.iter().copied().max().map_or(0, u32::from),
        }
    }
}

/// One synapse of a source neuron.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Synapse {
    /// The target neuron.
    pub target: u32,
    /// The code that is added.
    pub weight: i16,
    /// Its place in the lists of weights and delays (for a convolution, in the kernel).
    pub index: usize,
}

impl Weights {
    /// Calls `each` for the synapses of neuron `source`, in the order in which they act, given the target's size.
    ///
    /// # Panics
    /// On weights that [`crate::verify`] would refuse.
    pub fn row(&self, source: u32, target_size: u32, mut each: impl FnMut(Synapse)) {
        match self {
            Self::Dense(codes) => {
                let first = source as usize * target_size as usize;
                for target in 0..target_size {
                    let index = first + target as usize;
                    each(Synapse { target, weight: codes[index], index });
                }
            }
            Self::Sparse(sparse) => {
                for index in sparse.row(source) {
                    each(Synapse { target: sparse.targets[index], weight: sparse.weights[index], index });
                }
            }
            Self::OneToOne(codes) => {
                let index = source as usize;
                each(Synapse { target: source, weight: codes[index], index });
            }
            Self::Convolution(convolution) => convolution.row(source, each),
        }
    }

    /// How many synapses there are, given the sizes of source and target.
    pub fn count(&self, source_size: u32, target_size: u32) -> u64 {
        match self {
            Self::Dense(_) => u64::from(source_size) * u64::from(target_size),
            Self::Sparse(sparse) => sparse.targets.len() as u64,
            Self::OneToOne(codes) => codes.len() as u64,
            Self::Convolution(convolution) => (0..source_size)
                .map(|source| {
                    let mut count = 0;
                    convolution.row(source, |_| count += 1);
                    count
                })
                .sum(),
        }
    }

    /// The codes that are stored: one per synapse, or those of the kernel.
    pub fn codes(&self) -> &[i16] {
        match self {
            Self::Dense(codes) | Self::OneToOne(codes) => codes,
            Self::Sparse(sparse) => &sparse.weights,
            Self::Convolution(convolution) => &convolution.kernel,
        }
    }
}

impl Sparse {
    /// The places of a row in the lists of targets and weights.
    pub fn row(&self, source: u32) -> std::ops::Range<usize> {
        self.starts[source as usize] as usize..self.starts[source as usize + 1] as usize
    }

    /// From one list of `(target, weight)` per source neuron, in any order; equal targets keep their order.
    pub fn from_rows(rows: impl IntoIterator<Item = Vec<(u32, i16)>>) -> Self {
        let mut sparse = Self { starts: vec![0], ..Self::default() };
        for mut row in rows {
            row.sort_by_key(|(target, _)| *target);
            sparse.targets.extend(row.iter().map(|(target, _)| target));
            sparse.weights.extend(row.iter().map(|(_, weight)| weight));
            sparse.starts.push(sparse.targets.len() as u32);
        }
        sparse
    }
}

impl Convolution {
    /// The target neurons that see pooled position `at` along `axis`, with the element of the kernel through which, in rising
    /// order of targets: `stride·target = at + padding − dilation·element`.
    fn seen_by(&self, axis: usize, at: u32) -> impl Iterator<Item = (u32, u32)> + use<> {
        let (stride, dilation) = (self.stride[axis], self.dilation[axis]);
        let (at, limit) = (at + self.padding[axis], self.target[axis + 1]);
        (0..self.extent[axis]).rev().filter_map(move |element| {
            let distance = at.checked_sub(dilation * element)?;
            let target = distance / stride;
            (distance % stride == 0 && target < limit).then_some((target, element))
        })
    }

    fn row(&self, source: u32, mut each: impl FnMut(Synapse)) {
        let [channels, height, width] = self.source;
        let [channel, y, x] = [source / (height * width), source / width % height, source % width];
        let [pooled_y, pooled_x] = [y / self.pool[0], x / self.pool[1]];
        if pooled_y >= height / self.pool[0] || pooled_x >= width / self.pool[1] {
            return;
        }
        let [inputs, outputs] = [channels / self.groups, self.target[0] / self.groups];
        let (group, input) = (channel / inputs, channel % inputs);
        for output in group * outputs..(group + 1) * outputs {
            for (row, ky) in self.seen_by(0, pooled_y) {
                for (column, kx) in self.seen_by(1, pooled_x) {
                    let index = ((output * inputs + input) * self.extent[0] + ky) * self.extent[1] + kx;
                    let target = (output * self.target[1] + row) * self.target[2] + column;
                    each(Synapse { target, weight: self.kernel[index as usize], index: index as usize });
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two channels of 3×4 through a 2×2 kernel with stride 2 and padding 1, by the sum in the type's definition.
    #[test]
    fn a_convolution_is_the_sum_of_its_definition() {
        for (groups, pool) in [(1, [1, 1]), (2, [1, 1]), (1, [1, 2]), (2, [2, 1])] {
            let (source, pooled) = ([2, 3, 4], [3 / pool[0], 4 / pool[1]]);
            let target = [4, (pooled[0] + 2 - 2) / 2 + 1, (pooled[1] + 2 - 2) / 2 + 1];
            let inputs = 2 / groups;
            let kernel: Vec<i16> = (1..=(4 * inputs * 4) as i16).collect();
            let convolution = Convolution {
                kernel: kernel.clone(),
                extent: [2, 2],
                source,
                pool,
                target,
                stride: [2, 2],
                padding: [1, 1],
                dilation: [1, 1],
                groups,
            };
            let mut expected = vec![vec![0; (target[0] * target[1] * target[2]) as usize]; 24];
            for o in 0..4 {
                for (y, x) in (0..target[1]).flat_map(|y| (0..target[2]).map(move |x| (y, x))) {
                    for c in 0..inputs {
                        for (ky, kx) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
                            let (py, px) = (2 * y as i32 + ky - 1, 2 * x as i32 + kx - 1);
                            if py < 0 || px < 0 || py >= pooled[0] as i32 || px >= pooled[1] as i32 {
                                continue;
                            }
                            let channel = o / (4 / groups) * inputs + c;
                            let weight = kernel[(((o * inputs + c) * 2 + ky as u32) * 2 + kx as u32) as usize];
                            for (i, j) in (0..pool[0]).flat_map(|i| (0..pool[1]).map(move |j| (i, j))) {
                                let (sy, sx) = (pool[0] * py as u32 + i, pool[1] * px as u32 + j);
                                let from = (channel * 3 + sy) * 4 + sx;
                                expected[from as usize][((o * target[1] + y) * target[2] + x) as usize] += weight;
                            }
                        }
                    }
                }
            }
            for (from, expected) in expected.iter().enumerate() {
                let mut found = vec![0; expected.len()];
                let mut last = None;
                Weights::Convolution(convolution.clone()).row(from as u32, expected.len() as u32, |synapse| {
                    assert!(last.is_none_or(|last| last < synapse.target), "in rising order, each once");
                    last = Some(synapse.target);
                    found[synapse.target as usize] += synapse.weight;
                });
                assert_eq!(&found, expected, "neuron {from}, {groups} groups, pool {pool:?}");
            }
        }
    }

    #[test]
    fn rows_are_compressed_in_order() {
        let sparse = Sparse::from_rows([vec![(3, 1), (0, 2), (3, 3)], vec![], vec![(1, 4)]]);
        assert_eq!(sparse.starts, [0, 3, 3, 4]);
        assert_eq!(sparse.targets, [0, 3, 3, 1]);
        assert_eq!(sparse.weights, [2, 1, 3, 4]);
    }
}
