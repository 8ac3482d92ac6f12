//! The desktop shell: wiring between the page and the engine.

pub mod view;
