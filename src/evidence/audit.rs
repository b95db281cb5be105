//! The auditor: compares each checkpoint with the last one that it accepted.
