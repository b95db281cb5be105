//! The endpoints that change something: they mine, and change the mempool, the peers and the bans.

use std::sync::Arc;

use hyper::body::Bytes;
use hyper::header::LOCATION;
use hyper::http::StatusCode;
use hyper::http::request::Parts;
use tokio::time::timeout;

#[cfg(feature = "evidence")]
use super::log;
use super::table::Change;
use super::{MAX_BYTES_ON_TASK, Routes, transaction_id_in};
use crate::api::{BlockView, Dialling, Submitted};
use crate::http::body::{Body, address_in, host_in};
use crate::http::error::{ApiError, Code};
use crate::http::json::json;
use crate::http::query::decimal;
use crate::http::response::{Response, no_content, with_header};
use crate::http::threads::Permit;
use crate::primitives::{Hash, Span, Transaction};
use crate::protocol::{Ban, PeerId, limits};

impl<T: Transaction> Routes<T> {
    /// Does what a request asks for that may change something.
    pub(super) async fn change(
        self: &Arc<Self>,
        change: Change,
        argument: &str,
        head: &Parts,
        bytes: Bytes,
    ) -> Result<Response, ApiError> {
        let permit = self.threads.admit(&head.method).await?;
        let max_bytes = self.config.max_body_bytes;
        let body = || Body::new(&head.headers, bytes.clone(), max_bytes);
        match change {
            Change::Mine => self.mine(body()?, head.uri.path(), &permit).await,
            Change::Submit => self.submit(body()?, &permit).await,
            Change::RemoveTransaction => self.remove_transaction(argument).await,
            Change::Connect => self.connect(body()?).await,
            Change::RemovePeer => self.remove_peer(argument).await,
            Change::ForgetAddress => self.forget_address(argument).await,
            Change::Ban => self.ban(body()?).await,
            Change::Unban => self.unban(argument, &permit).await,
            #[cfg(feature = "evidence")]
            Change::AddCheckpoint => log::add_checkpoint(&self.node, &bytes, max_bytes).await,
        }
    }

    async fn mine(self: &Arc<Self>, body: Body, path: &str, permit: &Permit) -> Result<Response, ApiError> {
        let data = parse(body, permit, Body::into_transactions).await?;
        let Ok(_mining) = self.mining.try_acquire() else {
            let limit = self.config.max_mining;
            let message = format!("{limit} requests to mine are under way, which is the limit");
            return Err(ApiError::new(Code::Busy, message));
        };
        let limit = self.config.mine_timeout;
        // Dropping the search stops it, at the timeout or when the client disconnects.
        let search = async {
            match data {
                Some(data) => self.node.mine(data).await,
                None => self.node.mine_pending().await,
            }
        };
        let block = timeout(limit, search).await.map_err(|_| {
            let message = format!("no block was found within {}; the search has ended", Span(limit));
            ApiError::new(Code::MiningTimeout, message)
        })??;
        // Relative to the URL of the request (RFC 9110, section 10.2.2), because only the application knows under which
        // prefix the routes are.
        let up = if path.ends_with('/') { "../" } else { "" };
        let location = format!("{up}blocks/{}", block.hash());
        let is_large = block.size() > MAX_BYTES_ON_TASK;
        let easiest = self.easiest;
        let render = move || json(StatusCode::CREATED, &BlockView::new(&block, easiest));
        let response = if is_large { permit.run(render).await } else { render() };
        Ok(with_header(response?, LOCATION, location))
    }

    async fn submit(&self, body: Body, permit: &Permit) -> Result<Response, ApiError> {
        let transaction = parse(body, permit, Body::into_transaction).await?;
        let id = self.node.submit(transaction).await?;
        json(StatusCode::ACCEPTED, &Submitted { id })
    }

    async fn remove_transaction(&self, id: &str) -> Result<Response, ApiError> {
        let id = transaction_id_in(id)?;
        if !self.node.remove_transaction(id).await? {
            return Err(not_pending(&id));
        }
        Ok(no_content())
    }

    async fn connect(&self, body: Body) -> Result<Response, ApiError> {
        let address = body.into_address()?;
        self.node.connect(address.clone()).await?;
        json(StatusCode::ACCEPTED, &Dialling { address })
    }

    async fn remove_peer(&self, id: &str) -> Result<Response, ApiError> {
        let Some(peer) = decimal(id).map(PeerId) else {
            let message = format!("peer id {id:?}, expected a number as in the list of peers");
            return Err(ApiError::new(Code::BadPeerId, message));
        };
        if !self.node.remove(peer).await? {
            return Err(ApiError::new(Code::PeerNotFound, format!("no peer {id} is connected")));
        }
        Ok(no_content())
    }

    async fn forget_address(&self, address: &str) -> Result<Response, ApiError> {
        let address = address_in(address)?;
        if !self.node.forget_address(address.clone()).await? {
            return Err(ApiError::new(Code::AddressNotFound, format!("{address} is not known")));
        }
        Ok(no_content())
    }

    async fn ban(&self, body: Body) -> Result<Response, ApiError> {
        let (host, duration) = body.into_ban()?;
        let remaining = duration.unwrap_or(limits::BAN_DURATION);
        self.node.ban(host.clone(), remaining).await?;
        json(StatusCode::CREATED, &Ban { host, remaining })
    }

    async fn unban(&self, name: &str, permit: &Permit) -> Result<Response, ApiError> {
        let node = self.node.clone();
        // The list also contains hosts that are not valid names, of transports whose addresses have none.
        let bans = permit.run(move || node.bans()).await;
        let listed = bans.into_iter().map(|ban| ban.host).find(|host| host.as_str() == name);
        let host = listed.map_or_else(|| host_in(name), Ok)?;
        if !self.node.unban(host.clone()).await? {
            return Err(ApiError::new(Code::BanNotFound, format!("{host} is not banned")));
        }
        Ok(no_content())
    }
}

/// Parses a body, on a thread if it is large.
async fn parse<R: Send + 'static>(
    body: Body,
    permit: &Permit,
    parse: fn(Body) -> Result<R, ApiError>,
) -> Result<R, ApiError> {
    if body.len() > MAX_BYTES_ON_TASK { permit.run(move || parse(body)).await } else { parse(body) }
}

fn not_pending(id: &Hash) -> ApiError {
    ApiError::new(Code::TransactionNotFound, format!("transaction {id} is not pending"))
}
