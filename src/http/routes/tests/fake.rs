//! A fake node.

use super::*;

/// A fake node with seven blocks. It records the calls that change something, and a transaction's text
/// determines their result.
#[derive(Default)]
pub(super) struct Fake {
    pub(super) calls: Arc<Mutex<Vec<String>>>,
}

impl Fake {
    fn note(&self, call: String) {
        self.calls.lock().unwrap().push(call);
    }
}

fn block(height: u64, data: Vec<String>) -> Arc<Block> {
    let header = Header {
        version: 1,
        height,
        previous_hash: Hash::digest(&height.to_be_bytes()),
        merkle_root: Hash::ZERO,
        history_root: Hash::ZERO,
        state_root: Hash::ZERO,
        timestamp: Timestamp::from_millis(1_000 + height),
        // Four times harder than the easiest target.
        target: CompactTarget::from_bits(0x1e3f_ffc0),
        miner: Address::from_bytes([0xab; 20]),
        nonce: 42,
    };
    Arc::new(Block::new(header, data))
}

pub(super) fn chain() -> Vec<Arc<Block>> {
    (0..BLOCKS).map(|height| block(height, vec![format!("block {height}")])).collect()
}

impl Backend<String> for Fake {
    fn easiest_target(&self) -> CompactTarget {
        ChainSpec::default().easiest_target()
    }

    fn blocks(&self, from: u64, limit: usize, _max_bytes: usize) -> Result<Page<String>, ApiError> {
        let from = usize::try_from(from).unwrap_or(usize::MAX);
        Ok(Page { height: BLOCKS - 1, blocks: chain().into_iter().skip(from).take(limit).collect() })
    }

    fn block_at(&self, height: u64) -> Result<Option<Arc<Block>>, ApiError> {
        if height == DAMAGED {
            return Err(ApiError::new(Code::StoreFailed, "blocks 99 is missing"));
        }
        Ok(usize::try_from(height).ok().and_then(|height| chain().into_iter().nth(height)))
    }

    fn block(&self, hash: &Hash) -> Result<Option<Arc<Block>>, ApiError> {
        Ok(chain().into_iter().find(|block| block.hash() == hash))
    }

    fn block_at_if_at_hand(&self, height: u64) -> Option<Arc<Block>> {
        (height >= AT_HAND).then(|| self.block_at(height).ok()?)?
    }

    fn block_if_at_hand(&self, hash: &Hash) -> Option<Arc<Block>> {
        self.block(hash).ok()?.filter(|block| block.height() >= AT_HAND)
    }

    fn pending(&self, limit: usize) -> Vec<(Hash, String)> {
        let texts = ["first", "second", "third"].map(str::to_owned);
        texts.into_iter().map(|text| (transaction_id(&text).unwrap(), text)).take(limit).collect()
    }

    fn transaction(&self, id: &Hash) -> Option<String> {
        self.pending(3).into_iter().find_map(|(pending, text)| (pending == *id).then_some(text))
    }

    fn remove_transaction(&self, id: Hash) -> Result<bool, ApiError> {
        self.note(format!("remove transaction {id}"));
        Ok(self.transaction(&id).is_some())
    }

    fn submit(&self, transaction: String) -> Result<Hash, ApiError> {
        self.note(format!("submit {transaction}"));
        match transaction.as_str() {
            "bad" => Err(ApiError::new(Code::TransactionRejected, "no-bad: it says bad")),
            "twice" => Err(ApiError::new(Code::AlreadyPending, "already there")),
            "full" => Err(ApiError::new(Code::MempoolFull, "no room")),
            "large" => Err(ApiError::new(Code::TransactionTooLarge, "too large")),
            "odd" => Err(ApiError::new(Code::TransactionNotEncodable, "no bytes")),
            _ => Ok(transaction_id(&transaction).unwrap()),
        }
    }

    fn mine(&self, data: Option<Vec<String>>, timeout: Duration, _: &Client) -> Result<Arc<Block>, ApiError> {
        self.note(format!("mine {data:?} within {timeout:?}"));
        let data = data.unwrap_or_else(|| vec!["pending".to_owned()]);
        match data.first().map_or("", String::as_str) {
            "bad" => Err(ApiError::new(Code::TransactionRejected, "no-bad: it says bad")),
            "large" => Err(ApiError::new(Code::BlockTooLarge, "too large")),
            "slow" => Err(ApiError::new(Code::MiningTimeout, "nothing found")),
            "stop" => Err(ApiError::new(Code::ShuttingDown, "going down")),
            _ => Ok(block(BLOCKS, data)),
        }
    }

    fn peers(&self) -> Vec<impl Serialize> {
        vec![json!({"address": "ws://a:1"})]
    }

    fn connect(&self, address: PeerAddr) -> Result<(), ApiError> {
        self.note(format!("connect {address}"));
        match address.as_str() {
            "ws://again:1" => Err(ApiError::new(Code::AlreadyConnected, "already")),
            "ws://many:1" => Err(ApiError::new(Code::TooManyPeers, "too many")),
            _ => Ok(()),
        }
    }

    fn remove(&self, peer: PeerId) -> Result<bool, ApiError> {
        self.note(format!("remove {peer}"));
        Ok(peer == PeerId(7))
    }

    fn addresses(&self) -> Vec<impl Serialize> {
        vec![json!({"address": "ws://c:3", "reached": null, "failures": 0})]
    }

    fn forget_address(&self, address: PeerAddr) -> Result<bool, ApiError> {
        self.note(format!("forget {address}"));
        Ok(address.as_str() == "ws://c:3")
    }

    fn bans(&self) -> Vec<Ban> {
        bans::listed()
    }

    fn ban(&self, host: PeerHost, duration: Duration) -> Result<(), ApiError> {
        self.note(format!("ban {host} for {duration:?}"));
        Ok(())
    }

    fn unban(&self, host: PeerHost) -> Result<bool, ApiError> {
        self.note(format!("unban {host}"));
        Ok(host.as_str() != "10.0.0.9")
    }

    fn status(&self) -> Result<impl Serialize, ApiError> {
        Ok(json!({"height": BLOCKS - 1}))
    }

    fn status_if_at_hand(&self) -> Option<impl Serialize> {
        self.status().ok()
    }
}
