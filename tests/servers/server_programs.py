# SPDX-License-Identifier: GPL-2.0-or-later
"""Starts real servers, each in the tracker's namespace, a folder and a configuration of its own."""
import contextlib
import glob
import os
import pwd
import re
import shutil
import signal
import subprocess
import time

from harness import Skip
from netns import enter
from tracker import prepare_child

START_SECONDS, END_SECONDS = 60, 20
HERE = os.path.dirname(os.path.abspath(__file__))


def need(*programs):
    """Returns the paths; skips the check if one is not installed."""
    paths = [shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin:/usr/local/go/bin") for name in programs]
    missing = [name for name, path in zip(programs, paths) if not path]
    if missing:
        raise Skip("%s is not installed (scripts/install-packages --servers)" % missing[0])
    return paths


def user_of(name):
    try:
        return pwd.getpwnam(name)
    except KeyError:
        raise Skip("no user %s" % name) from None


class Server:
    """A server process with its own folder. It is ready when it takes connections."""

    def __init__(self, side, folder, port):
        self.namespace, self.address, self.port, self.folder = side.namespace, side.address, port, folder
        self.process, self.log = None, os.path.join(folder, "log")

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text):
        with open(self.path(name), "w") as file:
            file.write(text)
        return self.path(name)

    def own(self, user):
        """Gives the folder to the user that the server runs as."""
        entry = user_of(user)
        for path in (self.folder, *glob.glob(self.folder + "/**", recursive=True)):
            os.chown(path, entry.pw_uid, entry.pw_gid)

    def start(self, *command, user=None, cwd=None, environment=None):
        entry = user_of(user) if user else None

        def enter_namespace():
            enter(self.namespace.name)
            prepare_child()
            if entry:
                os.setgroups([])
                os.setgid(entry.pw_gid)
                os.setuid(entry.pw_uid)
                prepare_child()
        with open(self.path("output"), "wb") as output:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                                            preexec_fn=enter_namespace, cwd=cwd or self.folder,
                                            env=dict(os.environ, **(environment or {})), start_new_session=True)
        self.wait_until_ready()

    def is_listening(self):
        done = self.namespace.run("ss", "-Hltn", "sport = :%d" % self.port)
        return bool(done.stdout.strip())

    def wait_until_ready(self):
        deadline = time.monotonic() + START_SECONDS
        while not self.is_listening():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise Skip("it did not start here: %s" % self.output()[-300:])
            time.sleep(0.05)

    def output(self):
        with open(self.path("output"), errors="replace") as file:
            return file.read()

    def log_lines(self, pattern):
        """Returns the matches of a pattern in the log."""
        with open(self.log, errors="replace") as file:
            return [match.groups() for match in re.finditer(pattern, file.read(), re.M)]

    def stop(self, number=signal.SIGTERM):
        if not self.process:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.process.pid, number)
        try:
            self.process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def nginx(server):
    program, = need("nginx")
    server.write("page", "p" * 50000)
    server.start(program, "-p", server.folder, "-c", server.write("nginx.conf", """
user www-data;
daemon off;
worker_processes 2;
pid %(folder)s/pid;
error_log %(folder)s/error;
events {}
http {
  log_format owner '$remote_port $pid';
  access_log %(folder)s/log owner;
  client_body_temp_path %(folder)s/body; proxy_temp_path %(folder)s/proxy; fastcgi_temp_path %(folder)s/fastcgi;
  uwsgi_temp_path %(folder)s/uwsgi; scgi_temp_path %(folder)s/scgi;
  server { listen %(address)s:%(port)d; root %(folder)s; }
}
""" % vars(server)))
    os.chmod(server.folder, 0o755)


def apache(server, module, user="www-data", extra=""):
    program, = need("apache2")
    modules = "/usr/lib/apache2/modules/"
    if module == "itk" and not os.path.exists(modules + "mpm_itk.so"):
        raise Skip("libapache2-mpm-itk is not installed")
    loads = "LoadModule mpm_%s_module %smod_mpm_%s.so" % (*(("prefork", modules, "prefork") if module == "itk" else
                                                         (module, modules, module)),)
    if module == "itk":
        loads += "\nLoadModule mpm_itk_module %smpm_itk.so" % modules
        extra += "\nAssignUserID %s %s" % (user, user)
    server.write("page", "p" * 50000)
    os.chmod(server.folder, 0o755)
    server.start(program, "-d", server.folder, "-DFOREGROUND", "-f", server.write("apache.conf", """
%s
LoadModule authz_core_module %smod_authz_core.so
ServerName nt
Listen %s:%d
PidFile %s/pid
DefaultRuntimeDir %s
ErrorLog %s/error
LogFormat "%%{remote}p %%P" owner
CustomLog %s/log owner
User www-data
Group www-data
KeepAlive On
DocumentRoot %s
%s
""" % (loads, modules, server.address, server.port, *[server.folder] * 5, extra)))


def haproxy(server, behind):
    program, = need("haproxy")
    server.start(program, "-db", "-f", server.write("haproxy.cfg", """
global
  maxconn 100
defaults
  mode http
  timeout connect 5s
  timeout client 10s
  timeout server 10s
frontend in
  bind %s:%d
  default_backend out
backend out
  server one %s:%d
""" % (server.address, server.port, behind.address, behind.port)))


def postgresql(server):
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/postgres"))
    if not found:
        raise Skip("postgresql is not installed (scripts/install-packages --servers)")
    server.own("postgres")
    os.chmod(os.path.dirname(server.folder), 0o755)
    entry = user_of("postgres")
    data = server.path("data")
    subprocess.run([os.path.join(os.path.dirname(found[-1]), "initdb"), "-D", data, "-A", "trust", "--no-sync"],
                   check=True, capture_output=True, cwd=server.folder, user=entry.pw_uid, group=entry.pw_gid)
    with open(os.path.join(data, "pg_hba.conf"), "w") as file:
        file.write("host all all 198.18.0.0/15 trust\n")
    server.log = server.path("output")
    server.start(found[-1], "-D", data, "-h", server.address, "-p", str(server.port), "-c",
                 "unix_socket_directories=" + server.folder, "-c", "log_line_prefix=[%p %r] ", "-c",
                 "log_connections=on", "-c", "fsync=off", user="postgres")


def mariadb(server):
    program, install = need("mariadbd", "mariadb-install-db")
    server.own("mysql")
    os.chmod(os.path.dirname(server.folder), 0o755)
    data = server.path("data")
    entry = user_of("mysql")
    subprocess.run([install, "--no-defaults", "--datadir=" + data, "--auth-root-authentication-method=normal",
                    "--skip-test-db"], check=True, capture_output=True, user=entry.pw_uid, group=entry.pw_gid)
    server.write("grant.sql", "GRANT ALL ON *.* TO nt@'198.18.%' IDENTIFIED BY 'nt';\n")
    server.start(program, "--no-defaults", "--datadir=" + data, "--bind-address=" + server.address,
                 "--port=%d" % server.port, "--socket=" + server.path("socket"), "--pid-file=" + server.path("pid"),
                 "--init-file=" + server.path("grant.sql"), user="mysql")


def redis(server):
    program, = need("redis-server")
    server.start(program, "--bind", server.address, "--port", str(server.port), "--save", "", "--protected-mode", "no")


def sshd(server):
    program, keygen = need("sshd", "ssh-keygen")
    for name in ("host_key", "client_key"):
        subprocess.run([keygen, "-q", "-t", "ed25519", "-N", "", "-f", server.path(name)], check=True)
    os.makedirs("/run/sshd", exist_ok=True)
    shutil.copy(server.path("client_key.pub"), server.path("authorized_keys"))
    for path in (os.path.dirname(server.folder), server.folder, server.path("authorized_keys")):
        os.chmod(path, 0o755)
    server.start(program, "-D", "-e", "-f", server.write("sshd_config", """
ListenAddress %s:%d
HostKey %s/host_key
PidFile none
AuthorizedKeysFile %s/authorized_keys
StrictModes no
UsePAM no
LogLevel VERBOSE
Subsystem sftp internal-sftp
ForceCommand internal-sftp
""" % (server.address, server.port, server.folder, server.folder)))
    server.log = server.path("output")


def vsftpd(server):
    program, = need("vsftpd")
    root = server.path("root")
    os.makedirs(root)
    with open(os.path.join(root, "file"), "w") as file:
        file.write("f" * 70000)
    os.makedirs("/var/run/vsftpd/empty", exist_ok=True)
    server.start(program, server.write("vsftpd.conf", """
listen=YES
background=NO
listen_address=%s
listen_port=%d
anonymous_enable=YES
no_anon_password=YES
anon_root=%s
seccomp_sandbox=NO
pasv_address=%s
""" % (server.address, server.port, root, server.address)))


def node(server):
    program, = need("node")
    server.start(program, os.path.join(HERE, "echo_servers", "echo_server.js"), server.address, str(server.port))


def podman(server):
    """Needs no image: the container's files are busybox and a page."""
    program, busybox = need("podman", "busybox")
    root = server.path("root")
    os.makedirs(os.path.join(root, "bin"))
    shutil.copy(busybox, os.path.join(root, "bin"))
    with open(os.path.join(root, "page"), "w") as file:
        file.write("p" * 50000)
    server.start(program, "--cgroup-manager=cgroupfs", "--storage-driver=vfs", "--root=" + server.path("storage"),
                 "--runroot=" + server.path("run"), "run", "--rm", "--ulimit=nofile=1024:1024",
                 "--ulimit=nproc=1000:1000", "--cidfile=" + server.path("cid"),
                 "--network=ns:/run/netns/" + server.namespace.name, "--rootfs", root, "/bin/busybox", "httpd", "-f",
                 "-h", "/", "-p", "%s:%d" % (server.address, server.port))


def go(server):
    compiler, = need("go")
    program = server.path("echo_server")
    subprocess.run([compiler, "build", "-o", program, os.path.join(HERE, "echo_servers", "echo_server.go")], check=True,
                   capture_output=True, env=dict(os.environ, GOCACHE=server.path("cache"), GOFLAGS="-mod=mod"))
    server.start(program, server.address, str(server.port))


def java(server):
    program, compiler = need("java", "javac")
    subprocess.run([compiler, "-d", server.folder, os.path.join(HERE, "echo_servers", "EchoServer.java")], check=True,
                   capture_output=True)
    server.start(program, "-cp", server.folder, "EchoServer", server.address, str(server.port))

