//! The tiles of a log, as <https://c2sp.org/tlog-tiles> has them.
