//! The order in which a template tries pending transactions: by priority, each sender's in order of arrival.

use core::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};

use crate::primitives::PublicKey;

/// The places of transactions with these priorities and senders, which are in order of arrival, in the order of a template;
/// `None` if none has a priority, so that the order of arrival is that of the template.
///
/// Of the first pending transactions of all senders, the one with the highest priority is next; among equals, the one that
/// arrived first. A transaction without a sender is the only one of a sender of its own.
pub(super) fn by_priority(ranks: impl Iterator<Item = (u64, Option<PublicKey>)>) -> Option<Vec<usize>> {
    let mut lanes: Vec<VecDeque<(u64, usize)>> = Vec::new();
    let mut lane_of: BTreeMap<PublicKey, usize> = BTreeMap::new();
    let mut has_priorities = false;
    for (place, (priority, sender)) in ranks.enumerate() {
        has_priorities |= priority > 0;
        let lane = match sender {
            Some(sender) => *lane_of.entry(sender).or_insert(lanes.len()),
            None => lanes.len(),
        };
        if lane == lanes.len() {
            lanes.push(VecDeque::new());
        }
        lanes[lane].push_back((priority, place));
    }
    if !has_priorities {
        return None;
    }
    let mut heads = BinaryHeap::new();
    let mut order = Vec::new();
    for (lane, waiting) in lanes.iter_mut().enumerate() {
        heads.extend(waiting.pop_front().map(|(priority, place)| (priority, Reverse(place), lane)));
    }
    while let Some((_, Reverse(place), lane)) = heads.pop() {
        order.push(place);
        heads.extend(lanes[lane].pop_front().map(|(priority, place)| (priority, Reverse(place), lane)));
    }
    Some(order)
}
