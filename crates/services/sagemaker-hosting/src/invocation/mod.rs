//! InvokeEndpoint: from an endpoint in service to one of its containers and back.

mod choose;
mod invoke;

#[cfg(test)]
mod tests;
