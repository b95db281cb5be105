//! The children of each header. Nearly every header has a single child, for which no list is allocated.

use core::slice;
use std::collections::hash_map::Entry;

use crate::primitives::{ByHash, Hash};

/// Children by their parent.
#[derive(Clone, Debug, Default)]
pub(super) struct Children(ByHash<Siblings>);

#[derive(Clone, Debug)]
enum Siblings {
    One(Hash),
    Several(Vec<Hash>),
}

impl Siblings {
    fn as_slice(&self) -> &[Hash] {
        match self {
            Self::One(child) => slice::from_ref(child),
            Self::Several(children) => children,
        }
    }
}

impl Children {
    pub(super) fn of(&self, parent: &Hash) -> &[Hash] {
        self.0.get(parent).map_or(&[], Siblings::as_slice)
    }

    pub(super) fn add(&mut self, parent: Hash, child: Hash) {
        match self.0.entry(parent) {
            Entry::Vacant(place) => {
                place.insert(Siblings::One(child));
            }
            Entry::Occupied(mut siblings) => match siblings.get_mut() {
                Siblings::Several(children) => children.push(child),
                Siblings::One(first) => {
                    let both = vec![*first, child];
                    siblings.insert(Siblings::Several(both));
                }
            },
        }
    }

    pub(super) fn remove(&mut self, parent: &Hash, child: &Hash) {
        let Some(siblings) = self.0.get_mut(parent) else { return };
        let is_last = match siblings {
            Siblings::One(only) => only == child,
            Siblings::Several(children) => {
                children.retain(|other| other != child);
                children.is_empty()
            }
        };
        if is_last {
            self.0.remove(parent);
        }
    }

    #[cfg(test)]
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Hash, &[Hash])> {
        self.0.iter().map(|(parent, siblings)| (parent, siblings.as_slice()))
    }
}
