<?xml version="1.0" encoding="UTF-8"?>
<!-- SPDX-License-Identifier: GPL-2.0-or-later -->
<!-- An OCF agent's metadata to its man page, ocf_vigil_NAME(7):
     AGENT meta-data | xsltproc (string parameters) version VERSION ra-man.xsl - -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
<xsl:import href="man-roff.xsl"/>
<xsl:output method="text" encoding="UTF-8"/>
<xsl:param name="version"/>
<xsl:param name="provider" select="'vigil'"/>

<xsl:variable name="agent" select="string(/resource-agent/@name)"/>
<xsl:variable name="page" select="concat('ocf_', $provider, '_', $agent)"/>
<xsl:variable name="upper" select="translate($page, 'abcdefghijklmnopqrstuvwxyz', 'ABCDEFGHIJKLMNOPQRSTUVWXYZ')"/>

<xsl:template match="/resource-agent">
  <xsl:value-of select="concat('.\&quot; Made from the metadata of ', $agent, '; edit its tables instead.', $newline)"/>
  <xsl:value-of select="concat('.TH &quot;', $upper, '&quot; 7 &quot;&quot; &quot;Vigil ', $version, '&quot; &quot;OCF resource agents&quot;', $newline)"/>
  <xsl:value-of select="concat('.nh', $newline, '.ad l', $newline)"/>
  <xsl:value-of select="concat('.SH NAME', $newline)"/>
  <xsl:call-template name="line">
    <xsl:with-param name="text" select="concat($page, ' - ', shortdesc[1])"/>
  </xsl:call-template>
  <xsl:value-of select="concat('.SH SYNOPSIS', $newline, '.B ')"/>
  <xsl:call-template name="escape"><xsl:with-param name="text" select="$agent"/></xsl:call-template>
  <xsl:value-of select="$newline"/>
  <xsl:for-each select="actions/action[not(@name = preceding-sibling::action/@name)]">
    <xsl:value-of select="concat('.RI ', '&quot;', '&quot; ')"/>
    <xsl:call-template name="escape"><xsl:with-param name="text" select="string(@name)"/></xsl:call-template>
    <xsl:if test="position() != last()"> " |"</xsl:if>
    <xsl:value-of select="$newline"/>
  </xsl:for-each>
  <xsl:value-of select="concat('.SH DESCRIPTION', $newline)"/>
  <xsl:call-template name="paragraphs"><xsl:with-param name="text" select="string(longdesc[1])"/></xsl:call-template>
  <xsl:if test="parameters/parameter[not(deprecated)]">
    <xsl:value-of select="concat('.SH PARAMETERS', $newline)"/>
    <xsl:apply-templates select="parameters/parameter[not(deprecated)]"/>
  </xsl:if>
  <xsl:if test="parameters/parameter[deprecated]">
    <xsl:value-of select="concat('.SH OLD NAMES', $newline)"/>
    <xsl:text>Parameter names of other agents that are understood, so that a configuration need not be rewritten.&#10;</xsl:text>
    <xsl:apply-templates select="parameters/parameter[deprecated]" mode="old"/>
  </xsl:if>
  <xsl:value-of select="concat('.SH ACTIONS', $newline)"/>
  <xsl:apply-templates select="actions/action"/>
  <xsl:call-template name="examples"/>
  <xsl:value-of select="concat('.SH SEE ALSO', $newline, '.BR vigil (7),', $newline, '.BR pcs (8),', $newline, '.BR crm (8),', $newline, '.BR crm_resource (8)', $newline)"/>
</xsl:template>

<xsl:template match="parameter">
  <xsl:value-of select="concat('.TP', $newline, '\fB')"/>
  <xsl:call-template name="escape"><xsl:with-param name="text" select="string(@name)"/></xsl:call-template>
  <xsl:text>\fR (</xsl:text>
  <xsl:choose>
    <xsl:when test="content/option">one of <xsl:call-template name="choices"/></xsl:when>
    <xsl:otherwise><xsl:value-of select="content/@type"/></xsl:otherwise>
  </xsl:choose>
  <xsl:if test="@required = '1'">, required</xsl:if>
  <xsl:if test="content/@default != ''">
    <xsl:text>, default </xsl:text>
    <xsl:call-template name="escape"><xsl:with-param name="text" select="string(content/@default)"/></xsl:call-template>
  </xsl:if>
  <xsl:if test="@unique-group">
    <xsl:text>, unique group </xsl:text>
    <xsl:call-template name="escape"><xsl:with-param name="text" select="string(@unique-group)"/></xsl:call-template>
  </xsl:if>
  <xsl:if test="@reloadable = '1'">, reloadable</xsl:if>
  <xsl:value-of select="concat(')', $newline)"/>
  <xsl:call-template name="parameter-text"/>
</xsl:template>

<xsl:template match="parameter" mode="old">
  <xsl:value-of select="concat('.TP', $newline, '\fB')"/>
  <xsl:call-template name="escape"><xsl:with-param name="text" select="string(@name)"/></xsl:call-template>
  <xsl:value-of select="concat('\fR', $newline)"/>
  <xsl:choose>
    <xsl:when test="deprecated/replaced-with">
      <xsl:value-of select="'is now \fB'"/>
      <xsl:call-template name="escape"><xsl:with-param name="text" select="string(deprecated/replaced-with[1]/@name)"/></xsl:call-template>
      <xsl:value-of select="concat('\fR.', $newline)"/>
    </xsl:when>
    <xsl:otherwise><xsl:call-template name="parameter-text"/></xsl:otherwise>
  </xsl:choose>
</xsl:template>

<xsl:template match="action">
  <xsl:value-of select="concat('.TP', $newline, '\fB')"/>
  <xsl:call-template name="escape"><xsl:with-param name="text" select="string(@name)"/></xsl:call-template>
  <xsl:value-of select="concat('\fR', $newline, 'Timeout ', @timeout)"/>
  <xsl:if test="@interval and @interval != '0' and @interval != '0s'">
    <xsl:value-of select="concat(', interval ', @interval)"/>
  </xsl:if>
  <xsl:if test="@depth and @depth != '0'"><xsl:value-of select="concat(', depth ', @depth, ' (\fBOCF_CHECK_LEVEL=', @depth, '\fR)')"/></xsl:if>
  <xsl:if test="@role"><xsl:value-of select="concat(', role ', @role)"/></xsl:if>
  <xsl:value-of select="concat('.', $newline)"/>
</xsl:template>

<!-- Parameters that must be given, as name=VALUE. -->
<xsl:template name="required">
  <xsl:for-each select="parameters/parameter[@required = '1']">
    <xsl:value-of select="' '"/>
    <xsl:call-template name="escape"><xsl:with-param name="text" select="string(@name)"/></xsl:call-template>
    <xsl:value-of select="'=\fIVALUE\fB'"/>
  </xsl:for-each>
</xsl:template>

<xsl:template name="examples">
  <xsl:variable name="monitor" select="actions/action[@name = 'monitor'][1]"/>
  <xsl:variable name="operation" select="concat('interval=', $monitor/@interval, ' timeout=', $monitor/@timeout)"/>
  <xsl:value-of select="concat('.SH EXAMPLES', $newline, 'With pcs:', $newline, '.PP', $newline, '.in +4n', $newline, '\fBpcs resource create \fINAME\fB ocf:', $provider, ':')"/>
  <xsl:call-template name="escape"><xsl:with-param name="text" select="$agent"/></xsl:call-template>
  <xsl:call-template name="required"/>
  <xsl:value-of select="concat(' op monitor ', $operation, '\fR', $newline, '.in', $newline)"/>
  <xsl:value-of select="concat('.PP', $newline, 'With crm:', $newline, '.PP', $newline, '.in +4n', $newline, '\fBcrm configure primitive \fINAME\fB ocf:', $provider, ':')"/>
  <xsl:call-template name="escape"><xsl:with-param name="text" select="$agent"/></xsl:call-template>
  <xsl:if test="parameters/parameter[@required = '1']"> params</xsl:if>
  <xsl:call-template name="required"/>
  <xsl:value-of select="concat(' op monitor ', $operation, '\fR', $newline, '.in', $newline)"/>
</xsl:template>

</xsl:stylesheet>
