//! Exact gradients for spiking networks, of weights and delays (EventProp).

mod adjoint;
mod check;
mod continuous;
mod export;
mod forward;
mod loss;
mod model;
pub mod stepped;
mod train;

pub use check::{Agreement, Checked, Scenario, gradient_check};
pub use export::{Deployed, ExportError};
pub use loss::{GAIN, Loss};
pub use model::{Model, ModelError, Network, Times};
pub use train::{DelayRecipe, Epoch, Labelled, Recipe, RecipeError, Trained, classify, encoded, train};
