//! See `hashloom::evidence`.
