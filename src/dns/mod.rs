//! DNS messages: the home of the crate `domain`.
