/**
 * Teaches the walker of @swc/core the statement `using`, which its parser knows and the walker does not: dependency-cruiser walks our
 * sources with it and would end at the first one.
 */
import visitor from '@swc/core/Visitor.js';

interface Statement {
  readonly type: string;
  readonly decls?: readonly unknown[];
}

interface Walker {
  visitStatement(statement: Statement): Statement;
  visitVariableDeclarators(declarators: readonly unknown[]): unknown;
}

const walker = (visitor as unknown as { readonly Visitor: { readonly prototype: Walker } }).Visitor.prototype;
const visitStatement = walker.visitStatement;

walker.visitStatement = function (this: Walker, statement: Statement): Statement {
  if (statement.type !== 'UsingDeclaration') return visitStatement.call(this, statement);
  this.visitVariableDeclarators(statement.decls ?? []);
  return statement;
};
