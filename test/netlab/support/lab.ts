import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const execute = promisify(execFile);

/** Interface of a host to the network of the lab. */
export interface HostAddresses {
  /** `address/prefix`, IPv4 or IPv6, besides the link-local one that the kernel makes. */
  readonly addresses: readonly string[];
}

/** One machine: a network namespace with one interface, `eth0`, plugged into the lab's switch. */
export class Host {
  readonly name: string;
  readonly #namespace: string;

  constructor(name: string, namespace: string) {
    this.name = name;
    this.#namespace = namespace;
  }

  /** What to put before a command so that it runs here. */
  get prefix(): string[] {
    return ['ip', 'netns', 'exec', this.#namespace];
  }

  /** Runs a command here to its end. @throws when it fails. */
  async run(command: string, ...args: string[]): Promise<string> {
    const [program = '', ...rest] = [...this.prefix, command, ...args];
    const { stdout } = await execute(program, rest);
    return stdout;
  }

  addAddress(address: string): Promise<string> {
    // `nodad`: duplicate address detection would make IPv6 addresses wait for a second.
    return this.run(
      'ip',
      'address',
      'add',
      address,
      'dev',
      'eth0',
      ...(address.includes(':') ? ['nodad'] : []),
    );
  }

  removeAddress(address: string): Promise<string> {
    return this.run('ip', 'address', 'delete', address, 'dev', 'eth0');
  }
}

let labCount = 0;

/**
 * Machines on one switch, each a network namespace of this kernel. Disposal removes everything, so end the programs in
 * them first. Names carry the process id: labs of other runs are not touched.
 */
export class Lab implements AsyncDisposable {
  readonly #id: string;
  readonly #namespaces: string[] = [];

  private constructor(id: string) {
    this.#id = id;
  }

  static async create(): Promise<Lab> {
    labCount += 1;
    const lab = new Lab(`fb${process.pid}-${labCount}`);
    const hub = await lab.#addNamespace('switch');
    await ip('-n', hub, 'link', 'add', 'bridge', 'type', 'bridge');
    await ip('-n', hub, 'link', 'set', 'bridge', 'up');
    return lab;
  }

  async addHost(name: string, { addresses }: HostAddresses): Promise<Host> {
    const namespace = await this.#addNamespace(name);
    const hub = `${this.#id}-switch`;
    await ip('-n', hub, 'link', 'add', name, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', namespace);
    await ip('-n', hub, 'link', 'set', name, 'master', 'bridge', 'up');
    const host = new Host(name, namespace);
    await host.run('sysctl', '-q', '-w', 'net.ipv6.conf.eth0.accept_dad=0');
    await host.run('ip', 'link', 'set', 'lo', 'up');
    await host.run('ip', 'link', 'set', 'eth0', 'up');
    for (const address of addresses) await host.addAddress(address);
    return host;
  }

  /** Pulls a host's cable, or puts it back. */
  async setCable(name: string, isPlugged: boolean): Promise<void> {
    await ip('-n', `${this.#id}-switch`, 'link', 'set', name, isPlugged ? 'up' : 'down');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const namespace of this.#namespaces.splice(0)) await ip('netns', 'delete', namespace);
  }

  async #addNamespace(name: string): Promise<string> {
    const namespace = `${this.#id}-${name}`;
    await ip('netns', 'add', namespace);
    this.#namespaces.push(namespace);
    return namespace;
  }
}

async function ip(...args: string[]): Promise<void> {
  await execute('ip', args);
}
