//! Reports.
use crate::evaluate::Evaluation;
/// The page.
pub fn html(_evaluation: &Evaluation) -> String {
    String::new()
}
