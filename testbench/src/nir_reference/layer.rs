//! Nodes without state: what they make of the values of one step.
//!
//! Values come and go in row-major order; images are `[channels, height, width]`, and one-dimensional ones
//! `[channels, width]`.

use super::graph::{Conv, GraphError, Node, Padding, Pool, Tensor};

/// The shape of what a node gives for values of shape `input`.
///
/// # Errors
/// [`GraphError::Shape`] where the node cannot take them.
pub fn output_shape(name: &str, node: &Node, input: &[usize]) -> Result<Vec<usize>, GraphError> {
    let wrong = || GraphError::Shape { node: name.to_owned(), kind: node.kind(), shape: input.to_vec() };
    let size: usize = input.iter().product();
    let fits = |tensor: &Tensor| tensor.data.len() == 1 || tensor.data.len() == size;
    match node {
        Node::Input(shape) => Ok(shape.clone()),
        Node::Output(shape) if shape.iter().product::<usize>() == size => Ok(shape.clone()),
        Node::Linear(weight) | Node::Affine(weight, _) if weight.shape.len() == 2 && weight.shape[1] == size => {
            Ok(vec![weight.shape[0]])
        }
        Node::Conv1d(conv) if input.len() == 2 => conv_shape(conv, input).ok_or_else(wrong),
        Node::Conv2d(conv) if input.len() == 3 => conv_shape(conv, input).ok_or_else(wrong),
        Node::Pool2d(pool) if input.len() == 3 => {
            let padding: Vec<[usize; 2]> = pool.padding.iter().map(|zeros| [*zeros; 2]).collect();
            let spatial = windows(&input[1..], &pool.kernel, &pool.stride, &padding, &[1, 1]).ok_or_else(wrong)?;
            Ok([&input[..1], &spatial].concat())
        }
        Node::Flatten(start, end) => flatten(input, *start, *end).ok_or_else(wrong),
        Node::Scale(tensor) | Node::Threshold(tensor) | Node::Delay(tensor) if fits(tensor) => Ok(input.to_vec()),
        Node::Neurons(neurons) if neurons.parameters.values().all(fits) => Ok(input.to_vec()),
        _ => Err(wrong()),
    }
}

/// What a node without state gives.
///
/// # Panics
/// Where it has state, or the values are of another shape than [`output_shape`] was asked about.
pub fn values(node: &Node, input_shape: &[usize], x: Vec<f64>) -> Vec<f64> {
    match node {
        Node::Output(_) | Node::Flatten(..) => x,
        Node::Linear(weight) => matrix(weight, &x, None),
        Node::Affine(weight, bias) => matrix(weight, &x, Some(bias)),
        Node::Conv1d(conv) => {
            // One row of a height of 1.
            let [channels, width] = input_shape[..] else { panic!("a one-dimensional image") };
            let one = |list: &[usize], other: usize| vec![other, list[0]];
            let [outs, ins, kernel] = conv.weight.shape[..] else { panic!("a kernel of one dimension") };
            let padding = match &conv.padding {
                Padding::Zeros(zeros) => Padding::Zeros(one(zeros, 0)),
                Padding::Same => Padding::Same,
            };
            let conv = Conv {
                weight: Tensor::new(&[outs, ins, 1, kernel], conv.weight.data.clone()),
                stride: one(&conv.stride, 1),
                dilation: one(&conv.dilation, 1),
                padding,
                input_shape: None,
                ..conv.clone()
            };
            convolve(&conv, &[channels, 1, width], &x)
        }
        Node::Conv2d(conv) => convolve(conv, input_shape, &x),
        Node::Pool2d(pool) => pooled(pool, input_shape, &x),
        Node::Scale(scale) => x.iter().enumerate().map(|(index, x)| scale.at(index) * x).collect(),
        Node::Input(_) | Node::Threshold(_) | Node::Delay(_) | Node::Neurons(_) | Node::Graph(_) => {
            panic!("a {} is no function of its input alone", node.kind())
        }
    }
}

fn matrix(weight: &Tensor, x: &[f64], bias: Option<&[f64]>) -> Vec<f64> {
    let row = |row: usize| -> f64 {
        let product: f64 = (0..x.len()).map(|column| weight.data[row * x.len() + column] * x[column]).sum();
        product + bias.map_or(0.0, |bias| bias[row])
    };
    (0..weight.shape[0]).map(row).collect()
}

/// Dimensions `start` to `end` made one.
fn flatten(shape: &[usize], start: i64, end: i64) -> Option<Vec<usize>> {
    let rank = shape.len() as i64;
    let index = |dimension: i64| if dimension < 0 { dimension + rank } else { dimension };
    let (start, end) = (index(start), index(end));
    if start < 0 || end >= rank || start > end {
        return None;
    }
    let (start, end) = (start as usize, end as usize);
    Some([&shape[..start], &[shape[start..=end].iter().product()], &shape[end + 1..]].concat())
}

/// How many windows fit, in each spatial dimension; `None` where none does.
fn windows(
    extents: &[usize],
    kernel: &[usize],
    stride: &[usize],
    padding: &[[usize; 2]],
    dilation: &[usize],
) -> Option<Vec<usize>> {
    let count = |dimension: usize| {
        let reach = dilation.get(dimension)? * (kernel.get(dimension)?.checked_sub(1)?) + 1;
        let padded = extents[dimension] + padding.get(dimension)?.iter().sum::<usize>();
        Some(padded.checked_sub(reach)?.checked_div(*stride.get(dimension)?)? + 1)
    };
    (0..extents.len()).map(count).collect()
}

/// Zeros before and behind, in each spatial dimension.
fn padding(conv: &Conv) -> Vec<[usize; 2]> {
    match &conv.padding {
        Padding::Zeros(zeros) => zeros.iter().map(|zeros| [*zeros; 2]).collect(),
        Padding::Same => {
            let kernel = &conv.weight.shape[2..];
            let both = kernel.iter().zip(&conv.dilation).map(|(kernel, dilation)| dilation * (kernel - 1));
            both.map(|both| [both / 2, both - both / 2]).collect()
        }
    }
}

fn conv_shape(conv: &Conv, input: &[usize]) -> Option<Vec<usize>> {
    let dimensions = input.len() - 1;
    let Conv { weight, bias, stride, padding: _, dilation, groups, input_shape } = conv;
    let channels = *groups > 0
        && weight.shape.len() == dimensions + 2
        && !weight.shape.contains(&0)
        && weight.shape[1] * groups == input[0]
        && weight.shape[0].is_multiple_of(*groups)
        && bias.len() == weight.shape[0];
    let stated = input_shape.as_ref().is_none_or(|shape| shape == &input[1..]);
    if !channels || !stated {
        return None;
    }
    let spatial = windows(&input[1..], &weight.shape[2..], stride, &padding(conv), dilation)?;
    Some([&weight.shape[..1], &spatial].concat())
}

/// `y[o][r][c] = b[o] + Σ W[o][i][k][l] · x[first + i][r·s − p + k·d][c·s − p + l·d]`, where `first` is the first channel
/// of the group that `o` is of, and `x` is 0 outside.
fn convolve(conv: &Conv, input_shape: &[usize], x: &[f64]) -> Vec<f64> {
    let [_, height, width] = input_shape[..] else { panic!("an image of two dimensions") };
    let [outs, ins, rows, columns] = conv.weight.shape[..] else { panic!("a kernel of two dimensions") };
    let shape = conv_shape(conv, input_shape).expect("a shape that was asked about");
    let padding = padding(conv);
    let inside = |dimension: usize, window: usize, point: usize, extent: usize| {
        let position = window * conv.stride[dimension] + point * conv.dilation[dimension];
        position.checked_sub(padding[dimension][0]).filter(|position| *position < extent)
    };
    let mut y = Vec::with_capacity(shape.iter().product());
    for out in 0..outs {
        let first = out / (outs / conv.groups) * ins;
        for row in 0..shape[1] {
            for column in 0..shape[2] {
                let mut sum = conv.bias[out];
                for channel in 0..ins {
                    for k in 0..rows {
                        let Some(r) = inside(0, row, k, height) else { continue };
                        for l in 0..columns {
                            let Some(c) = inside(1, column, l, width) else { continue };
                            let weight = conv.weight.data[((out * ins + channel) * rows + k) * columns + l];
                            sum += weight * x[((first + channel) * height + r) * width + c];
                        }
                    }
                }
                y.push(sum);
            }
        }
    }
    y
}

/// Sums over windows, of each channel alone.
fn pooled(pool: &Pool, input_shape: &[usize], x: &[f64]) -> Vec<f64> {
    // A sum is a cross-correlation of one channel with ones.
    let kernel: usize = pool.kernel.iter().product();
    let factor = if pool.average { 1.0 / kernel as f64 } else { 1.0 };
    let conv = Conv {
        weight: Tensor::new(&[1, 1, pool.kernel[0], pool.kernel[1]], vec![1.0; kernel]),
        bias: vec![0.0],
        stride: pool.stride.clone(),
        padding: Padding::Zeros(pool.padding.clone()),
        dilation: vec![1, 1],
        groups: 1,
        input_shape: None,
    };
    let channel = [1, input_shape[1], input_shape[2]];
    let channels = x.chunks_exact(input_shape[1] * input_shape[2]);
    channels.flat_map(|x| convolve(&conv, &channel, x)).map(|sum| factor * sum).collect()
}
