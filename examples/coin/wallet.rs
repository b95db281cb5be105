//! What a wallet asks of a node. The node is not trusted: see `verified.rs`.

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};
use hashloom::api::TransactionView;
use hashloom::client::{Client, NodeClient, PageQuery};
use hashloom::consensus::HeaderChain;
use hashloom::ledger::{BalanceProof, LedgerParameters, Transfer};
use hashloom::primitives::transaction_id;
use hashloom::signed::{SecretKey, SequenceProof, Signed};
use hashloom::{Address, Block, ChainSpec, Hash, Transaction as _};

use crate::program::chain::Chain;
use crate::verified::{Proven, Verified, explained, prove};
use crate::{Record, shown};

/// Pending transfers that a wallet looks through for its own.
const PENDING: u64 = 1_000;

/// Blocks that a request asks for.
const PAGE: u64 = 100;

/// How long the wallet waits before it asks again what has become of a transfer.
const POLL: Duration = Duration::from_millis(500);

pub(crate) struct Wallet {
    node: NodeClient<Record>,
    spec: ChainSpec,
    parameters: LedgerParameters,
}

impl Wallet {
    pub(crate) fn new(node: &str, token: Option<&str>, chain: &Chain) -> Result<Self> {
        let client = Client::new(node).with_context(|| format!("--node {node}"))?;
        let client = match token {
            Some(token) => client.with_token(token).context("HTTP_TOKEN")?,
            None => client,
        };
        Ok(Self { node: client.node(), spec: chain.spec()?, parameters: crate::parameters()? })
    }

    /// The units in an account, with the block after which it has them.
    pub(crate) async fn balance(&self, account: &Address) -> Result<String> {
        let (verified, [balance]) = prove(&self.node, &self.spec, [balance_key(account)]).await?;
        let (units, place) = (proven_units(account, &balance)?, verified.place(&balance.header));
        Ok(format!("{units} units in {}\n{place}\n", shown(account)?))
    }

    /// Pays an account, and waits until `depth` blocks are on the transfer.
    pub(crate) async fn send(
        &self,
        key: &SecretKey,
        transfer: Transfer,
        depth: u64,
        seconds: u64,
    ) -> Result<String> {
        let own = key.public_key().address();
        let keys = [balance_key(&own), sequence_key(key)];
        let (_, [balance, number]) = prove(&self.node, &self.spec, keys).await?;
        let units = proven_units(&own, &balance)?;
        // A number that is too high would make a transfer that the node could keep back, and show later.
        let mut sequence = proven_sequence(key, &number)?;
        let mut reserved = 0_u64;
        // That of the genesis block that the wallet knows, whatever the node says.
        let genesis = *HeaderChain::new::<Record>(self.spec.clone())?.tip_hash();
        let pending = self.node.transactions(PENDING).await.map_err(explained)?;
        for earlier in pending.iter().map(|pending| &pending.data) {
            let is_own = *earlier.author() == key.public_key() && earlier.check(&genesis).is_ok();
            if is_own && earlier.sequence() == sequence {
                let Transfer { amount, fee, .. } = *earlier.transaction();
                reserved = reserved.saturating_add(amount).saturating_add(fee);
                sequence += 1;
            }
        }
        let needed = transfer.amount.saturating_add(transfer.fee);
        let free = units.saturating_sub(reserved);
        ensure!(
            needed <= free,
            "the balance is too low: {} has {units} units, of which {reserved} are in pending transfers, and this \
             one takes {needed}",
            shown(&own)?
        );
        let to = shown(&transfer.to)?;
        let text = format!("{} units to {to}, and a fee of {}", transfer.amount, transfer.fee);
        let signed = Signed::sign(transfer, sequence, key, &genesis)?;
        let expected = transaction_id(&signed)?;
        let id = self.node.submit(&signed).await.map_err(explained)?;
        ensure!(id == expected, "the node names the transfer {id}, expected {expected}");
        let sent = format!("{id}\n{text}, number {sequence}\n");
        if depth == 0 {
            return Ok(format!("{sent}pending\n"));
        }
        let waited = tokio::time::timeout(Duration::from_secs(seconds), self.wait(&id, depth)).await;
        let place = waited.map_err(|_| {
            anyhow!("transfer {id} does not have {depth} blocks after {seconds} s; it may still be mined")
        })??;
        Ok(format!("{sent}{place}\n"))
    }

    /// Waits until a transfer is mined, and checks that its block has it.
    async fn wait(&self, id: &Hash, expected: u64) -> Result<String> {
        loop {
            match self.node.transaction(id).await.map_err(explained)? {
                TransactionView::Mined { block, height, depth, .. } if depth >= expected => {
                    let verified = Verified::fetch(&self.node, &self.spec).await?;
                    let found = verified.block(self.node.block(&block).await.map_err(explained)?)?;
                    let ids: Result<Vec<_>, _> = found.data().iter().map(transaction_id).collect();
                    ensure!(ids?.contains(id), "block {block} does not have the transfer, as the node says");
                    return Ok(format!("in block {height} ({block}), depth {depth}"));
                }
                TransactionView::Dropped { reason, .. } => bail!("transfer {id} was dropped: {reason}"),
                _ => tokio::time::sleep(POLL).await,
            }
        }
    }

    /// The transfers and rewards of an account, from blocks that are compared with checked headers.
    pub(crate) async fn history(&self, account: &Address) -> Result<String> {
        let verified = Verified::fetch(&self.node, &self.spec).await?;
        let mut text = String::new();
        let mut next = Some(PageQuery::default().from_height(1).limit(PAGE));
        // The height that has to follow; the first one is higher if the node has pruned its chain.
        let mut expected = None;
        while let Some(query) = next {
            let page = self.node.blocks(query).await.map_err(explained)?;
            for view in page.items {
                let height = view.header.height;
                let is_next = expected.is_none_or(|expected| height == expected);
                ensure!(is_next, "the node leaves out the block before height {height}");
                if height > verified.height() {
                    return Ok(text);
                }
                if expected.is_none() && height > 1 {
                    writeln!(text, "the node has no blocks below height {height}")?;
                }
                self.lines(&verified.block(view)?, account, &mut text)?;
                expected = Some(height + 1);
            }
            next = page.next;
        }
        let shown = expected.map_or(0, |next| next - 1);
        ensure!(shown >= verified.height(), "the node leaves out the blocks above height {shown}");
        Ok(text)
    }

    /// What a block changes in an account.
    fn lines(&self, block: &Block<Record>, account: &Address, text: &mut String) -> Result<()> {
        let height = block.height();
        for signed in block.data() {
            let (from, transfer) = (signed.author().address(), signed.transaction());
            if from == *account {
                let (to, fee) = (shown(&transfer.to)?, transfer.fee);
                writeln!(text, "{height:6}  -{} to {to}, fee {fee}", transfer.amount)?;
            }
            if transfer.to == *account {
                writeln!(text, "{height:6}  +{} from {}", transfer.amount, shown(&from)?)?;
            }
        }
        if block.header().miner == *account {
            let fees: u64 = block.data().iter().map(|signed| signed.transaction().fee).sum();
            let reward = if *account == Address::ZERO { 0 } else { self.parameters.reward(height) };
            writeln!(text, "{height:6}  +{reward} reward, and {fees} of fees")?;
        }
        Ok(())
    }
}

/// The key of the state at which a node proves a balance.
fn balance_key(account: &Address) -> String {
    format!("accounts/{account}")
}

fn proven_units(account: &Address, proven: &Proven) -> Result<u64> {
    let proof = BalanceProof::from_bytes(&proven.proof).context(FALSE_PROOF)?;
    proof.verify(account, &proven.header.state_root).context(FALSE_PROOF)
}

/// The key of the state at which a node proves the number of the next transfer.
fn sequence_key(key: &SecretKey) -> String {
    format!("sequences/{}", key.public_key())
}

fn proven_sequence(key: &SecretKey, proven: &Proven) -> Result<u64> {
    let proof = SequenceProof::from_bytes(&proven.proof).context(FALSE_PROOF)?;
    proof.verify(&key.public_key(), &proven.header.state_root).context(FALSE_PROOF)
}

const FALSE_PROOF: &str = "the node sends a false proof";
