//! Pictures over bad networks under virtual time: the sender's packets, the requests for lost ones
//! and the answers all pass a simulated path.

mod call;
mod repair;
