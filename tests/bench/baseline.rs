//! The baseline: the TLS library that the gateway uses, a thread a connection, and a constant answer to
//! whatever is asked. A process of its own, as the gateway is.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

pub const NAME: &str = "baseline: rustls alone";

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n";

/// The running baseline; ends when dropped.
pub struct Baseline {
    child: Child,
    pub address: SocketAddr,
}

impl Baseline {
    /// With the pair in that folder, so that both have the same kind of key.
    pub fn start(folder: &Path) -> Baseline {
        let mut command = Command::new(std::env::current_exe().expect("this executable"));
        let mut child = command.arg("baseline").arg(folder).stdout(Stdio::piped()).spawn().expect("the baseline");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("its output")).read_line(&mut line).expect("its address");
        Baseline { child, address: line.trim().parse().expect("an address") }
    }
}

impl Drop for Baseline {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Serves for good.
pub fn serve(folder: &Path) {
    let chain = vec![CertificateDer::from_pem_file(folder.join("cert.pem")).expect("a certificate")];
    let key = PrivateKeyDer::from_pem_file(folder.join("key.pem")).expect("a key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("TLS");
    let config = Arc::new(builder.with_no_client_auth().with_single_cert(chain, key).expect("a pair"));
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    println!("{}", listener.local_addr().expect("its address"));
    for socket in listener.incoming().flatten() {
        let config = config.clone();
        thread::spawn(move || answer(socket, config));
    }
}

fn answer(socket: TcpStream, config: Arc<ServerConfig>) {
    let _ = socket.set_nodelay(true);
    let mut stream = StreamOwned::new(ServerConnection::new(config).expect("a connection"), socket);
    let (mut request, mut piece) = (Vec::new(), [0; 2048]);
    while !request.ends_with(b"\r\n\r\n") {
        match stream.read(&mut piece) {
            Ok(length) if length > 0 => request.extend_from_slice(&piece[..length]),
            _ => return,
        }
    }
    let _ = stream.write_all(ANSWER);
    stream.conn.send_close_notify();
    let _ = stream.flush();
}
