//! Shapes: what a node gives for what it gets.
//!
//! Contract: [`Node::output_shape`] states which shapes a node takes; numbers are always row-major, without batch or time.

use super::{Conv, Node, Padding, Pool, len_of};

/// A node that cannot take what comes to it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("takes {takes}, but gets shape {gets:?}")]
pub struct ShapeError {
    /// What it takes, in words.
    pub takes: String,
    /// The shape that comes.
    pub gets: Vec<usize>,
}

impl<const D: usize> Padding<D> {
    /// Zeros before and behind, in dimension `axis` of `conv`.
    pub(crate) fn around(&self, axis: usize, kernel: usize, dilation: usize) -> [usize; 2] {
        match self {
            Self::Zeros(zeros) => [zeros[axis]; 2],
            Self::Valid => [0; 2],
            Self::Same => {
                let all = dilation.saturating_mul(kernel - 1);
                [all / 2, all - all / 2]
            }
        }
    }
}

/// How many windows there are along one dimension; `None` where not even one fits, or where a number is beyond all bounds.
fn windows(extent: usize, kernel: usize, stride: usize, around: [usize; 2], dilation: usize) -> Option<usize> {
    let padded = extent.checked_add(around[0])?.checked_add(around[1])?;
    let reach = dilation.checked_mul(kernel.checked_sub(1)?)?.checked_add(1)?;
    Some(padded.checked_sub(reach)? / stride + 1)
}

impl<const D: usize> Conv<D> {
    /// Channels that come in.
    pub fn in_channels(&self) -> usize {
        self.group_channels.saturating_mul(self.groups)
    }

    /// The spatial extents of what comes out for those of what comes in.
    pub fn output_extents(&self, input: [usize; D]) -> Option<[usize; D]> {
        let mut output = [0; D];
        for axis in 0..D {
            let around = self.padding.around(axis, self.kernel[axis], self.dilation[axis]);
            output[axis] = windows(input[axis], self.kernel[axis], self.stride[axis], around, self.dilation[axis])?;
        }
        Some(output)
    }

    pub(super) fn input_len(&self) -> Option<usize> {
        len_of(&self.input_shape?)?.checked_mul(self.in_channels())
    }

    pub(super) fn output_len(&self) -> Option<usize> {
        len_of(&self.output_extents(self.input_shape?)?)?.checked_mul(self.out_channels)
    }

    /// The spatial extents of an input of shape `input`. Where the file states them, numbers of any shape are taken for them.
    ///
    /// # Errors
    /// The node cannot take this shape.
    pub fn input_extents(&self, input: &[usize]) -> Result<[usize; D], ShapeError> {
        let channels = self.in_channels();
        let dimensions = ["columns", "rows and columns"][usize::from(D > 1)];
        let takes = match self.input_shape {
            Some(extents) => format!("{channels} channels of {extents:?} {dimensions}"),
            None => format!("{channels} channels of {dimensions}, not smaller than the kernel"),
        };
        let error = || ShapeError { takes, gets: input.to_vec() };
        let extents = match (self.input_shape, input) {
            (Some(extents), _) if self.input_len() == len_of(input) => extents,
            (None, [first, rest @ ..]) if *first == channels => match rest.try_into() {
                Ok(extents) => extents,
                Err(_) => return Err(error()),
            },
            _ => return Err(error()),
        };
        if self.output_extents(extents).is_none() { Err(error()) } else { Ok(extents) }
    }
}

impl Pool {
    /// Rows and columns of what comes out for those of what comes in.
    pub fn output_extents(&self, input: [usize; 2]) -> Option<[usize; 2]> {
        let along =
            |axis: usize| windows(input[axis], self.kernel[axis], self.stride[axis], [self.padding[axis]; 2], 1);
        Some([along(0)?, along(1)?])
    }
}

impl Node {
    /// The shape of what the node gives for numbers of shape `input`.
    ///
    /// # Errors
    /// The node cannot take them.
    pub fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>, ShapeError> {
        let error = |takes: String| ShapeError { takes, gets: input.to_vec() };
        let count = |expected: usize, shape: Vec<usize>| {
            if len_of(input) == Some(expected) { Ok(shape) } else { Err(error(format!("{expected} numbers"))) }
        };
        match self {
            Node::Input { shape } => Ok(shape.clone()),
            Node::Output { shape } => count(len_of(shape).unwrap_or(usize::MAX), shape.clone()),
            Node::Linear { weight } | Node::Affine { weight, .. } => count(weight.cols, vec![weight.rows]),
            Node::Conv1d(conv) => conv.shape(input),
            Node::Conv2d(conv) => conv.shape(input),
            Node::SumPool2d(pool) | Node::AvgPool2d(pool) => match *input {
                [channels, rows, columns] => pool
                    .output_extents([rows, columns])
                    .map(|[rows, columns]| vec![channels, rows, columns])
                    .ok_or_else(|| error(format!("images not smaller than {:?}", pool.kernel))),
                _ => Err(error("shape [channels, rows, columns]".to_owned())),
            },
            Node::Flatten { start_dim, end_dim, .. } => flatten(input, *start_dim, *end_dim)
                .ok_or_else(|| error(format!("shapes that have dimensions {start_dim} to {end_dim}"))),
            Node::Scale { .. }
            | Node::Threshold { .. }
            | Node::Delay { .. }
            | Node::I(_)
            | Node::If(_)
            | Node::Lif(_)
            | Node::CubaLif(_)
            | Node::Li(_)
            | Node::CubaLi(_) => match self.output_len() {
                Some(expected) => count(expected, input.to_vec()),
                None => Ok(input.to_vec()),
            },
            Node::Graph(_) | Node::Other { .. } => Ok(input.to_vec()),
        }
    }
}

impl<const D: usize> Conv<D> {
    fn shape(&self, input: &[usize]) -> Result<Vec<usize>, ShapeError> {
        let extents = self.input_extents(input)?;
        // `input_extents` has asked for them already.
        let output = self.output_extents(extents).unwrap_or([0; D]);
        Ok([&[self.out_channels], &output[..]].concat())
    }
}

/// `input` with the dimensions from `start` to `end` made one.
fn flatten(input: &[usize], start: i64, end: i64) -> Option<Vec<usize>> {
    let place = |index: i64| {
        let from = if index < 0 { input.len() as i64 } else { 0 };
        usize::try_from(from.checked_add(index)?).ok().filter(|place| *place < input.len())
    };
    let end = place(end)?;
    // One dimension is flat whatever the first is: exporters count a batch that is not there.
    let start = if input.len() == 1 { end } else { place(start).filter(|start| *start <= end)? };
    let middle = len_of(&input[start..=end])?;
    Some([&input[..start], &[middle], &input[end + 1..]].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conv(kernel: [usize; 2], stride: [usize; 2], padding: Padding<2>, dilation: [usize; 2]) -> Conv<2> {
        let count = kernel[0] * kernel[1];
        Conv {
            out_channels: 1,
            group_channels: 1,
            kernel,
            weight: vec![1.0; count],
            bias: vec![0.0],
            stride,
            padding,
            dilation,
            groups: 1,
            input_shape: None,
        }
    }

    /// The figures are PyTorch's `conv2d(torch.zeros(1, 1, 7, 9), ...)`.
    #[test]
    fn convolutions_give_the_extents_pytorch_gives() {
        let extents = |conv: Conv<2>| conv.output_extents([7, 9]);
        assert_eq!(extents(conv([3, 3], [1, 1], Padding::Zeros([1, 1]), [1, 1])), Some([7, 9]));
        assert_eq!(extents(conv([3, 2], [2, 3], Padding::Zeros([0, 1]), [2, 1])), Some([2, 4]));
        assert_eq!(extents(conv([4, 2], [1, 1], Padding::Same, [1, 3])), Some([7, 9]));
        assert_eq!(extents(conv([7, 9], [5, 5], Padding::Valid, [1, 1])), Some([1, 1]));
        assert_eq!(extents(conv([8, 1], [1, 1], Padding::Valid, [1, 1])), None);
        assert_eq!(Padding::<2>::Same.around(0, 4, 1), [1, 2]);
    }

    #[test]
    fn flattening_counts_from_both_ends() {
        assert_eq!(flatten(&[2, 3, 4], 0, -1), Some(vec![24]));
        assert_eq!(flatten(&[2, 3, 4], 1, -1), Some(vec![2, 12]));
        assert_eq!(flatten(&[2, 3, 4], -3, 1), Some(vec![6, 4]));
        assert_eq!(flatten(&[24], 1, -1), Some(vec![24]));
        assert_eq!(flatten(&[2, 3], 2, -1), None);
        assert_eq!(flatten(&[2, 3], 1, 0), None);
        assert_eq!(flatten(&[2, 3], 0, i64::MIN), None);
    }
}
