//! `login` and `logout`

use std::sync::Arc;

use wharf_ops::Result;
use wharf_ops::connect::{self, Network};
use wharf_ops::credentials::{CredentialEvent, Credentials};
use wharf_ops::login::{self, LoginRequest};

use crate::cli::{LoginArgs, LogoutArgs};
use crate::session::Session;
use crate::shell::{Shell, Verbosity};

/// Keeps the token of a registry.
pub fn login(args: &LoginArgs, session: &Session) -> Result<()> {
    if args.token.is_some() {
        session.shell.warn(
            "a token on the command line is kept in the history of the shell: `login` reads it from standard input",
        );
    }
    let network = match session.access()?.offline {
        Some(because) => Network::Offline { because },
        None => Network::Online,
    };
    let shell = session.shell.clone();
    let loader = connect::loader(&session.config)?;
    let listen = Box::new(move |event| crate::open::tell(&shell, event));
    let sources = connect::sources(&session.config, &loader, network, listen)?;
    let request =
        LoginRequest { registry: args.registry.clone(), token: args.token.clone(), args: args.args.clone() };
    login::login(&session.config, &sources, &credentials(session), request)
}

/// Forgets the token of a registry.
pub fn logout(args: &LogoutArgs, session: &Session) -> Result<()> {
    login::logout(&session.config, &credentials(session), args.registry.as_deref())
}

fn credentials(session: &Session) -> Credentials {
    let shell = session.shell.clone();
    Credentials::new(session.config.clone(), Arc::new(move |event| tell(&shell, event)))
}

/// What credential providers have to say.
pub fn tell(shell: &Shell, event: CredentialEvent) {
    match event {
        CredentialEvent::Asked { provider, action, registry } => {
            if shell.verbosity() >= Verbosity::Verbose {
                shell.status("Credential", format!("{provider} {action} {registry}"));
            }
        }
        CredentialEvent::Warning(text) => shell.warn(text),
        CredentialEvent::Prompt(text) => shell.err(text),
        CredentialEvent::Done(word, text) => shell.status(word, text),
        CredentialEvent::Note(text) => shell.note(text),
    }
}
