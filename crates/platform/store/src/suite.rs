//! One behavioural suite for every store, run on the in-memory twin and on each driver.
