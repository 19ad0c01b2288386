/** What a peer sent is not what it should be. Returned, not thrown: hostile bytes are no surprise. */
export class Malformed {
  /** What is wrong, as half a sentence for people. */
  readonly problem: string;

  constructor(problem: string) {
    this.problem = problem;
  }
}
