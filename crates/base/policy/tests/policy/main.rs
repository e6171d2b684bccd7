//! The scenario tests of the crate, one binary: case files, comparison with the naive evaluator, composition, wording.

mod cases;
mod composition;
mod explaining;
mod naive;
mod properties;
mod real_policies;
