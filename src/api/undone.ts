/** A restore that is undone, by what marks and names on its server say of it. */
export interface UndoneRestore {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  /** As in its mark: tells a predecessor of the same name and content, whose UID was another one. */
  readonly specHash: string;
  /** What its status says is kept, the first of many; empty where it says nothing (any more). */
  readonly databases: readonly string[];
}
