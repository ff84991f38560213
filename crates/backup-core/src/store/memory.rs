//! A store in memory: the reference implementation of the contract.
