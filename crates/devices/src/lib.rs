//! Camera, microphone and speaker of this machine.
