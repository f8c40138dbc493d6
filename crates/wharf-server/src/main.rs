//! The `wharf-server` binary: serves one directory as a registry until it is told to stop.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use wharf_server::auth::Token;
use wharf_server::{App, Config, router};

const USAGE: &str = "\
Serves a directory as a registry for cargo and wharf.

Usage: wharf-server [--listen ADDRESS] [--data DIRECTORY] [OPTIONS]

  --listen ADDRESS     where to listen, for example 127.0.0.1:8080 (the default)
  --data DIRECTORY     what to serve; made when it is missing (default: wharf-data)
  --public-url URL     the URL that clients see, when it is not the one they connect to
  --token LOGIN:TOKEN  someone who may write; may be given several times
  --auth-required      ask for a token for reading too
  --help               show this
";

struct Arguments {
    listen: SocketAddr,
    config: Config,
}

fn arguments(mut words: impl Iterator<Item = String>) -> Result<Option<Arguments>, String> {
    let mut listen = SocketAddr::from(([127, 0, 0, 1], 8080));
    let mut config = Config::open_to_all("wharf-data".into());
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("`{word}` needs a value"));
        match word.as_str() {
            "--help" | "-h" => return Ok(None),
            "--listen" => {
                let text = value()?;
                listen = text.parse().map_err(|error| format!("cannot listen at `{text}`: {error}"))?;
            }
            "--data" => config.data = PathBuf::from(value()?),
            "--public-url" => config.public_url = Some(value()?),
            "--auth-required" => config.auth_required = true,
            "--token" => {
                let text = value()?;
                let (login, secret) =
                    text.split_once(':').ok_or("`--token` takes a login and a token: `LOGIN:TOKEN`")?;
                config.tokens.push(Token::new(secret, login));
            }
            other => return Err(format!("unknown argument `{other}`; see `wharf-server --help`")),
        }
    }
    if config.auth_required && config.tokens.is_empty() {
        return Err("`--auth-required` without any `--token` would lock everybody out".to_owned());
    }
    Ok(Some(Arguments { listen, config }))
}

async fn serve(arguments: Arguments) -> Result<(), String> {
    let Arguments { listen, config } = arguments;
    let app = App::open(config).map_err(|error| error.to_string())?;
    let listener = tokio::net::TcpListener::bind(listen)
        .await
        .map_err(|error| format!("cannot listen at `{listen}`: {error}"))?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    // Scripts that asked for port 0 read the port from this line.
    say(&format!("index at sparse+http://{address}/index/\n"));
    let stop = async {
        // Without a handler there is nothing to wait for, and the signal ends the process by itself.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    axum::serve(listener, router(app)).with_graceful_shutdown(stop).await.map_err(|error| error.to_string())
}

fn say(text: &str) {
    // Nobody may be listening at the other end, which is no reason to stop serving.
    let _ = std::io::stdout().write_all(text.as_bytes());
}

fn main() -> ExitCode {
    let outcome = match arguments(std::env::args().skip(1)) {
        Ok(None) => {
            say(USAGE);
            return ExitCode::SUCCESS;
        }
        Ok(Some(arguments)) => match tokio::runtime::Runtime::new() {
            Ok(runtime) => runtime.block_on(serve(arguments)),
            Err(error) => Err(error.to_string()),
        },
        Err(message) => Err(message),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            let _ = std::io::stderr().write_all(format!("error: {message}\n").as_bytes());
            ExitCode::FAILURE
        }
    }
}
