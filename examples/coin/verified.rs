//! The chain as a node shows it, checked from the genesis block that the wallet knows.

use anyhow::{Context, Result, anyhow, bail, ensure};
use hashloom::api::{BlockView, ErrorCode, StateProof};
use hashloom::client::{ClientError, NodeClient, PageQuery};
use hashloom::consensus::HeaderChain;
use hashloom::{Block, ChainSpec, Hash, Header};

use crate::Record;
use crate::program::work::now;

/// Headers that a request asks for.
const PAGE: u64 = 1_000;

/// How often a proof is asked for again, because the chain went on between two requests.
const ATTEMPTS: usize = 5;

/// Headers with proof of work from the genesis block to a tip. Another branch may have more work, and the node may not
/// show the newest headers.
pub(crate) struct Verified {
    chain: HeaderChain,
    /// By height.
    headers: Vec<Header>,
}

impl Verified {
    /// Fetches all headers of a node, and checks them. One header takes 180 bytes; a wallet that runs often would keep
    /// those that it has checked.
    pub(crate) async fn fetch(node: &NodeClient<Record>, spec: &ChainSpec) -> Result<Self> {
        let chain = HeaderChain::new::<Record>(spec.clone())?;
        let first = node.header_at(0).await.map_err(explained)?;
        let (got, expected) = (first.hash, *chain.tip_hash());
        ensure!(
            got == expected,
            "the node is of another chain: its genesis block is {got}, expected {expected}; \
             CHAIN, BLOCK_INTERVAL and ON_DEMAND have to be those of the node"
        );
        let mut verified = Self { headers: vec![*chain.tip()], chain };
        let now = now();
        let mut next = Some(PageQuery::default().from_height(1).limit(PAGE));
        while let Some(query) = next {
            let page = node.headers(query).await.map_err(explained)?;
            if page.items.is_empty() {
                break;
            }
            for view in page.items {
                let height = verified.chain.tip().height + 1;
                // A chain accepts its tip again, and a node could repeat it without end.
                ensure!(view.height == height, "the node shows header {}, expected {height}", view.height);
                let header = Header::try_from(view)?;
                let checked = verified.chain.push(&header, now);
                checked.with_context(|| format!("the node shows a false header at height {height}"))?;
                verified.headers.push(header);
            }
            next = page.next;
        }
        Ok(verified)
    }

    /// The header of a block, if the block is one of these.
    pub(crate) fn header(&self, height: u64, hash: &Hash) -> Option<&Header> {
        let header = self.headers.get(usize::try_from(height).ok()?)?;
        (header.hash() == *hash).then_some(header)
    }

    /// The height of the last header.
    pub(crate) fn height(&self) -> u64 {
        self.chain.tip().height
    }

    /// A line that says which block it is.
    pub(crate) fn place(&self, header: &Header) -> String {
        let age = now().saturating_since(header.timestamp).as_secs();
        let blocks = self.height();
        format!(
            "proven by block {} ({}), mined {age} s ago by its own time, in {blocks} blocks from the genesis block",
            header.height,
            header.hash(),
        )
    }

    /// A block, with its hash and its transactions compared with the header.
    pub(crate) fn block(&self, view: BlockView<Record>) -> Result<Block<Record>> {
        let height = view.header.height;
        let block = Block::try_from(view)
            .with_context(|| format!("the node shows a false block at height {height}"))?;
        ensure!(
            self.header(height, block.hash()).is_some(),
            "the node shows another block at height {height} than before"
        );
        Ok(block)
    }
}

/// A proof by a node of a key of its state, with the checked header that it leads to.
pub(crate) struct Proven {
    pub(crate) header: Header,
    pub(crate) proof: Vec<u8>,
}

/// Asks a node for proofs of keys of its state, and then for the headers, which are checked.
pub(crate) async fn prove<const N: usize>(
    node: &NodeClient<Record>,
    spec: &ChainSpec,
    keys: [String; N],
) -> Result<(Verified, [Proven; N])> {
    for _ in 0..ATTEMPTS {
        let mut answers = Vec::new();
        for key in &keys {
            answers.push(node.state_proof(key).await.map_err(explained)?);
        }
        let verified = Verified::fetch(node, spec).await?;
        let proven = |StateProof { height, block, proof, .. }| {
            Some(Proven { header: *verified.header(height, &block)?, proof })
        };
        let proven: Option<Vec<_>> = answers.into_iter().map(proven).collect();
        if let Some(proven) = proven.and_then(|proven| proven.try_into().ok()) {
            return Ok((verified, proven));
        }
    }
    bail!("the node shows proofs for blocks that are not in the chain that it shows")
}

/// An error of a request, in terms of the wallet.
#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
pub(crate) fn explained(error: ClientError) -> anyhow::Error {
    let context = match &error {
        ClientError::Connect { .. } | ClientError::Timeout { .. } => {
            "the node cannot be reached: start one with `coin node`, or name one with --node (or NODE)"
        }
        ClientError::Refused(refused) if refused.code() == Some(ErrorCode::StateKeyNotFound) => {
            "the node is not one of this currency"
        }
        ClientError::Refused(refused) if refused.code().is_none() => "this is not a node",
        ClientError::Refused(_) => "the node refuses",
        _ => "the node does not answer as one of this currency",
    };
    // The error names its cause itself.
    anyhow!("{context}: {error}")
}
