import type { ServerResponse } from 'node:http';
import { Tally } from './tally.ts';

interface Gate {
  readonly arrived: Tally;
  readonly abandoned: Tally;
  readonly passes: (() => void)[];
  open: boolean;
}

/** Named gates at which requests wait until the test lets them through. A gate exists as soon as it is named. */
export class Gates {
  readonly #gates = new Map<string, Gate>();

  /** Runs `pass` when the gate lets this request through; never, when its connection ends before. */
  wait(name: string, response: ServerResponse, pass: () => void): void {
    const gate = this.#gate(name);
    if (gate.open) {
      gate.arrived.add();
      pass();
      return;
    }
    gate.passes.push(pass);
    response.once('close', () => {
      const index = gate.passes.indexOf(pass);
      if (index === -1) return;
      gate.passes.splice(index, 1);
      gate.abandoned.add();
    });
    gate.arrived.add();
  }

  /** Lets everything through that waits, and everything that comes later. */
  open(name: string): void {
    const gate = this.#gate(name);
    gate.open = true;
    for (const pass of gate.passes.splice(0)) pass();
  }

  /** Lets the request through that has waited longest; false when none waits. */
  letOne(name: string): boolean {
    const pass = this.#gate(name).passes.shift();
    pass?.();
    return pass !== undefined;
  }

  /** Resolves when `count` requests in all have arrived at the gate. */
  arrived(name: string, count: number): Promise<void> {
    return this.#gate(name).arrived.reached(count);
  }

  /** Resolves when `count` requests in all have gone away without being let through. */
  abandoned(name: string, count: number): Promise<void> {
    return this.#gate(name).abandoned.reached(count);
  }

  #gate(name: string): Gate {
    let gate = this.#gates.get(name);
    if (gate === undefined) {
      gate = { arrived: new Tally(), abandoned: new Tally(), passes: [], open: false };
      this.#gates.set(name, gate);
    }
    return gate;
  }
}
