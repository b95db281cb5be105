//! The keys of signed notes, and their signatures.
