//! The scenario tests of the crate, one binary: case files, comparison with the naive evaluator, composition, wording.

#[cfg(test)]
mod applying;
#[cfg(test)]
mod bounded;
#[cfg(test)]
mod cases;
#[cfg(test)]
mod composition;
#[cfg(test)]
mod driving;
#[cfg(test)]
mod explaining;
#[cfg(test)]
mod facts;
#[cfg(test)]
mod linting;
#[cfg(test)]
mod malformed;
#[cfg(test)]
mod naive;
#[cfg(test)]
mod possible;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod real_policies;
#[cfg(test)]
mod suggesting;
