//! Which chain it is: the options that a node and a wallet have in common.

use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use hashloom::ChainSpec;

use super::values::{duration, flag};

/// What all who use a chain have to agree on.
#[derive(Clone, Debug, Args)]
pub(crate) struct Chain {
    /// Name of the chain; peers must have the same.
    #[arg(
        id = "chain",
        long,
        env = "CHAIN",
        value_name = "NAME",
        default_value = "hashloom",
        global = true,
        help_heading = "Chain"
    )]
    pub(crate) name: String,

    /// Time between blocks that the difficulty aims at, such as 10s or 500ms; peers must have the same.
    #[arg(long, env, value_name = "TIME", value_parser = duration, default_value = "10s", global = true,
          help_heading = "Chain")]
    block_interval: Duration,

    /// Keep the difficulty as it is at the beginning, for blocks that are mined on demand; peers must do the same.
    #[arg(long, env, value_parser = flag, global = true, help_heading = "Chain")]
    on_demand: bool,
}

impl Chain {
    pub(crate) fn spec(&self) -> Result<ChainSpec> {
        let builder =
            if self.on_demand { ChainSpec::on_demand(&self.name) } else { ChainSpec::builder(&self.name) };
        let data = (crate::APPLICATION.genesis_data)()?;
        let spec = builder.block_interval(self.block_interval).genesis_data(data).build();
        spec.context("CHAIN and BLOCK_INTERVAL are not valid for a chain")
    }
}
