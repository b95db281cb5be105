//! Which environment variables apply to the options.

use std::env;
use std::ffi::OsString;

use clap::Command;

/// Removes the variables that do not apply from the command: variables that are set but empty, which is how
/// compose files pass unset ones, and, if `is_work` is set, those of options that only a running node reads.
pub(crate) fn applicable(command: Command, is_work: bool) -> Command {
    command.mut_args(|arg| {
        let is_empty = arg.get_env().and_then(env::var_os).is_some_and(|value| value.is_empty());
        // Options that subcommands read are global.
        if is_empty || is_work && !arg.is_global_set() { arg.env(None) } else { arg }
    })
}

/// Whether the command line names a subcommand. Errors are ignored here; the parser reports them later.
pub(crate) fn is_work(command: Command, arguments: &[OsString]) -> bool {
    let command = command.mut_args(|arg| arg.env(None)).ignore_errors(true);
    command.try_get_matches_from(arguments).is_ok_and(|matches| matches.subcommand_name().is_some())
}

/// Adds the variable to each flag in a line of an error message, since the error may be in either.
pub(crate) fn name_variables(command: &Command, line: &str) -> String {
    let mut line = line.to_owned();
    for arg in command.get_arguments() {
        let Some(variable) = arg.get_env() else { continue };
        let (flag, variable) = (arg.to_string(), variable.display());
        if line == flag {
            return format!("{flag} (or {variable})");
        }
        let quoted = format!("'{flag}'");
        line = line.replace(&quoted, &format!("{quoted} (or {variable})"));
    }
    line
}
