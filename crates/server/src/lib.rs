//! The signalling server: a pure hub and its WebSocket and HTTP shell.
