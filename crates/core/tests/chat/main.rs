//! The chat in virtual time: rooms of people whose connections break and who come and go.

mod faults;
mod hostile;
mod room;
mod rules;
