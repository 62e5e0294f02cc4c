//! The Yin-Yang classification task: data set, trainer, and the trained network.
