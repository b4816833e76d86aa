//! given(events).when(command).then(events).
