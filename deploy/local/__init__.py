"""Real servers on this machine, without containers, and Vigie's own processes beside them.

Everything lives in one state folder and under one supervisord, which starts again what dies. The
package imports nothing of Vigie's other folders: it knows commands and addresses only.
"""
